"""Our layers beside torch.nn and onnxruntime: A B A B in one process.

    python benchmarks/recurrent_layers.py --output benchmarks/results/recurrent_layers.json

For every cell: padded inference and training steps of four sizes, single steps of a stream, ragged
batches beside packing, running and padding again, and every state of the grid (`unroll`) beside the
plain call of torch, which gives the top layer only. Results are compared before anything is timed.
A measurement waits until the threads of the one before sleep, and short runs are repeated in it,
after as many that are not timed. Arithmetic is counted without the elementwise part, for real steps
only, and in training without the gradient of the input, which is not asked for; the peak is what
`machine_limits.cpp` reaches on as many threads. Bytes are those of all weights once for a step, of
inputs and of states, from whatever cache they come.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from layer_cases import CASES, GATES, STREAM, Case
from machine_limits import machine_limits
from measuring import in_turn, machine, settle
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import kernels, nn

REPEATS = {"middle": 4, "one sample": 20, "one step": 500, "small": 200}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--inference-beside-torch", action="store_true", help="nothing else")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    limits = machine_limits(options.threads)
    peak = 1e9 * limits["gflops"]
    everything = not options.inference_beside_torch
    rows: list[dict[str, Any]] = []
    for cell in GATES:
        for case in (*CASES, STREAM):
            if options.only not in case.name:
                continue
            if case is not STREAM:
                rows += layer_rows(cell, case, options.rounds, peak, everything)
            elif everything:
                rows += stream_rows(cell, options.rounds)
    isa = kernels.isa().name
    result = {"machine": machine(), "isa": isa, "limits": limits, "cases": rows}
    text = json.dumps(result)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def layer_rows(
    cell: str, case: Case, rounds: int, peak: float, everything: bool
) -> list[dict[str, Any]]:
    """Inference, training and every state beside torch; inference beside onnxruntime too."""
    theirs = getattr(torch.nn, cell)(case.size, case.size, **case.settings)
    our = getattr(nn, cell)(case.size, case.size, **case.settings)
    our.load_state_dict(theirs.state_dict())
    x, lengths = case.input(), case.lengths()

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
    kinds = [("inference", ours, False)]
    if everything:
        kinds += [("training", ours, True), ("every state", states, False)]
    rows = []
    for what, call, training in kinds:
        sides = {"ours": timer(case, call, training), "torch": timer(case, torchs, training)}
        times = in_turn(rounds, sides)
        row = as_row(cell, case, what, times, "torch") | speed(cell, case, what, times, peak)
        if what == "inference":
            seconds = statistics.median(times["ours"])
            row["gigabytes_per_second"] = round(case.traffic(cell) / seconds / 1e9, 1)
            row["flops_per_byte"] = round(case.flops(cell) / case.traffic(cell), 2)
        rows.append(row)
        print(row, flush=True)
    if everything and lengths is None:
        from onnx_layers import onnx_run

        run, values = onnx_run(theirs, cell), x.numpy()
        torch.testing.assert_close(torch.from_numpy(run(values)), ours(), rtol=1e-4, atol=1e-4)
        sides = {
            "ours": timer(case, ours, False),
            "onnxruntime": timer(case, lambda: run(values), False),
        }
        times = in_turn(rounds, sides)
        row = as_row(cell, case, "inference", times, "onnxruntime")
        rows.append(row | speed(cell, case, "inference", times, peak))
        print(rows[-1], flush=True)
    return rows


def stream_rows(cell: str, rounds: int) -> list[dict[str, Any]]:
    """One step after the other, the state carried along."""
    from onnx_layers import onnx_stream

    case = STREAM
    theirs = getattr(torch.nn, cell)(case.size, case.size, **case.settings)
    our = getattr(nn, cell)(case.size, case.size, **case.settings)
    our.load_state_dict(theirs.state_dict())
    stream, their_stream = nn.Stream(our), onnx_stream(theirs, cell)
    x = case.input()
    x_t = x[0]
    state: Any = None

    def torchs() -> Tensor:
        nonlocal state
        output, state = theirs(x, state)
        return output

    values = x.numpy()
    expected = theirs(torch.cat([x, x]))[0]
    for step in expected:
        torch.testing.assert_close(stream.push(x_t), step, rtol=1e-4, atol=1e-5)
        found = torch.from_numpy(their_stream(values)[0])
        torch.testing.assert_close(found, step, rtol=1e-4, atol=1e-5)
    rows = []
    peers = {"torch": torchs, "onnxruntime": lambda: their_stream(values)}
    for peer, call in peers.items():
        sides = {
            "ours": timer(case, lambda: stream.push(x_t), False),
            peer: timer(case, call, False),
        }
        rows.append(as_row(cell, case, "stream", in_turn(rounds, sides), peer))
        print(rows[-1], flush=True)
    return rows


def timer(case: Case, call: Callable[[], Any], training: bool) -> Callable[[], float]:
    """A measurement of a call: its seconds, with its gradient in training."""
    repeats = max(1, REPEATS.get(case.name, 1) // (4 if training else 1))

    def once() -> None:
        if training:
            call().sum().backward()
        else:
            with torch.inference_mode():
                call()

    def measured() -> float:
        settle()
        if repeats > 1:
            for _ in range(repeats):
                once()
        start = time.perf_counter()
        for _ in range(repeats):
            once()
        return (time.perf_counter() - start) / repeats

    return measured


def as_row(cell: str, case: Case, what: str, times: dict[str, Any], peer: str) -> dict[str, Any]:
    """Medians in milliseconds and the ratio of each round."""
    medians = {side: round(1e3 * statistics.median(times[side]), 4) for side in ("ours", peer)}
    return {"cell": cell, **asdict(case), "what": what, "ms": medians, "ratio": times["ratio"]}


def speed(cell: str, case: Case, what: str, times: dict[str, Any], peak: float) -> dict[str, float]:
    """Of ours, beside the most that the machine can."""
    flops = case.flops(cell, training=what == "training")
    rate = flops / statistics.median(times["ours"])
    return {"gflops": round(rate / 1e9, 1), "percent_of_peak": round(100 * rate / peak, 1)}


if __name__ == "__main__":
    main()
