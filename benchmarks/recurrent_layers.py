"""Our layers beside torch.nn, and onnxruntime where it is installed: A B A B in one process.

    python benchmarks/recurrent_layers.py --output benchmarks/results/recurrent_layers.json

For every cell: padded inference and training steps of three sizes, single steps of a stream, ragged
batches beside packing, running and padding again, and every state of the grid (`unroll`) beside the
plain call of torch, which gives the top layer only. Results are compared before anything is timed.
Arithmetic is counted without the elementwise part, for real steps only; the peak is that of the
packed-panel product on a matrix that fits the cache, on as many threads.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import in_turn, machine
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import nn
from unrolled.kernels import PackedMatrix

GATES = {"GRU": 3, "RNN": 1, "LSTM": 4}


@dataclass(frozen=True)
class Case:
    """What is run."""

    name: str
    batch: int
    steps: int
    size: int
    bidirectional: bool = False
    ragged: bool = False
    layers: int = 2

    def lengths(self) -> Tensor | None:
        """From 5 to all steps, evenly."""
        return torch.linspace(5, self.steps, self.batch).long() if self.ragged else None

    def flops(self, cell: str) -> float:
        """Of one forward run."""
        lengths = self.lengths()
        rows = self.batch * self.steps if lengths is None else int(lengths.sum())
        directions = 1 + self.bidirectional
        inputs = [self.size] + [directions * self.size] * (self.layers - 1)
        per_row = sum(2 * directions * GATES[cell] * self.size * (i + self.size) for i in inputs)
        return float(rows * per_row)


CASES = (
    Case("large", 64, 50, 512, bidirectional=True),
    Case("middle", 32, 100, 256),
    Case("one sample", 1, 100, 256),
    Case("ragged", 64, 100, 256, bidirectional=True, ragged=True),
)
STREAM = Case("one step", 1, 1, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    peak = measured_peak(options.threads)
    rows: list[dict[str, Any]] = []
    for cell in GATES:
        for case in CASES:
            if options.only in case.name:
                rows += layer_rows(cell, case, options.rounds, peak)
        if options.only in STREAM.name:
            rows.append(stream_row(cell, 20 * options.rounds))
    result = {"machine": machine(), "peak_gflops": round(peak / 1e9, 1), "cases": rows}
    text = json.dumps(result)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def layer_rows(cell: str, case: Case, rounds: int, peak: float) -> list[dict[str, Any]]:
    """Inference, training and every state, beside torch; inference beside onnxruntime too."""
    settings = {"num_layers": case.layers, "bidirectional": case.bidirectional}
    theirs = getattr(torch.nn, cell)(case.size, case.size, **settings)
    our = getattr(nn, cell)(case.size, case.size, **settings)
    our.load_state_dict(theirs.state_dict())
    x = torch.randn(case.steps, case.batch, case.size)
    lengths = case.lengths()

    def torchs() -> Tensor:
        if lengths is None:
            found: Tensor = theirs(x)[0]
            return found
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        return pad_packed_sequence(theirs(packed)[0], total_length=len(x))[0]

    def ours() -> Tensor:
        found: Tensor = our(x, lengths=lengths)[0]
        return found

    def states() -> Tensor:
        found: Tensor = our.unroll(x, lengths=lengths).hidden
        return found

    torch.testing.assert_close(ours(), torchs(), rtol=1e-4, atol=1e-4)
    rows = []
    for what, call, other, training in (
        ("inference", ours, torchs, False),
        ("training", ours, torchs, True),
        ("every state", states, torchs, False),
    ):
        times = in_turn(
            rounds,
            {
                "ours": lambda c=call, t=training: timed(c, t),
                "torch": lambda c=other, t=training: timed(c, t),
            },
        )
        row = as_row(cell, case, what, times, "torch")
        flops = case.flops(cell) * (3 if training else 1)
        speed = flops / statistics.median(times["ours"])
        row |= {"gflops": round(speed / 1e9, 1), "percent_of_peak": round(100 * speed / peak, 1)}
        rows.append(row)
        print(row, flush=True)
    session = onnx_session(theirs, cell, case) if lengths is None else None
    if session is not None:
        feed = {"x": x.numpy()}
        np.testing.assert_allclose(session.run(None, feed)[0], ours().detach(), atol=1e-4)
        times = in_turn(
            rounds,
            {
                "ours": lambda: timed(ours, False),
                "onnxruntime": lambda: timed(lambda: session.run(None, feed), False),
            },
        )
        rows.append(as_row(cell, case, "inference", times, "onnxruntime"))
        print(rows[-1], flush=True)
    return rows


def stream_row(cell: str, rounds: int) -> dict[str, Any]:
    """One step after the other, the state carried along."""
    case = STREAM
    theirs = getattr(torch.nn, cell)(case.size, case.size, num_layers=case.layers)
    our = getattr(nn, cell)(case.size, case.size, num_layers=case.layers)
    our.load_state_dict(theirs.state_dict())
    stream = nn.Stream(our)
    x = torch.randn(1, 1, case.size)
    state: Any = None

    def torchs() -> Tensor:
        nonlocal state
        output, state = theirs(x, state)
        return output

    torch.testing.assert_close(stream.push(x[0]), theirs(x)[0][0], rtol=1e-4, atol=1e-5)
    times = in_turn(
        rounds,
        {
            "ours": lambda: timed(lambda: stream.push(x[0]), False),
            "torch": lambda: timed(torchs, False),
        },
    )
    row = as_row(cell, case, "stream", times, "torch")
    print(row, flush=True)
    return row


def onnx_session(layer: torch.nn.Module, cell: str, case: Case) -> Any:
    """The same layer in onnxruntime on as many threads; `None` where it is not installed."""
    try:
        import io
        import warnings

        import onnxruntime
    except ImportError:
        return None
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        x = torch.randn(case.steps, case.batch, case.size)
        torch.onnx.export(layer, (x,), file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )


def measured_peak(threads: int) -> float:
    """Floating-point operations a second of the packed-panel product on all threads."""
    weight = np.ones((32, 512), np.float32)  # stays in the first caches
    a = np.ones((600, 512), np.float32)
    packed, calls = PackedMatrix(weight), 200

    def once() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            packed.multiply(a)
        return calls * 2 * a.size * len(weight) / (time.perf_counter() - start)

    with ThreadPoolExecutor(threads) as pool:
        return max(sum(pool.map(lambda _: once(), range(threads))) for _ in range(15))


def timed(call: Callable[[], Any], training: bool) -> float:
    """Seconds of a call, with its gradient in training."""
    start = time.perf_counter()
    if training:
        call().sum().backward()
    else:
        with torch.inference_mode():
            call()
    return time.perf_counter() - start


def as_row(cell: str, case: Case, what: str, times: dict[str, Any], peer: str) -> dict[str, Any]:
    """Medians in milliseconds and the ratio of each round."""
    medians = {side: round(1e3 * statistics.median(times[side]), 4) for side in ("ours", peer)}
    return {"cell": cell, **asdict(case), "what": what, "ms": medians, "ratio": times["ratio"]}


if __name__ == "__main__":
    main()
