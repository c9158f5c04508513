"""Our layers beside torch.nn: plain, ragged and every state, A B A B in one process.

    python benchmarks/layers_vs_torch.py --output benchmarks/results/layers_vs_torch.json

"ragged" compares `layer(x, lengths=...)` with packing, running and padding again; "states" compares
`layer.unroll` with the plain call of torch, which gives the top layer only.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import in_turn, machine
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=256, help="input and hidden size")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for name in ("GRU", "RNN", "LSTM"):
        theirs = getattr(torch.nn, name)(options.size, options.size, 2, bidirectional=True)
        our = getattr(nn, name)(options.size, options.size, 2, bidirectional=True)
        our.load_state_dict(theirs.state_dict())
        x = torch.randn(options.steps, options.batch, options.size)
        lengths = torch.randint(options.steps // 20 + 1, options.steps + 1, (options.batch,))
        lengths[0] = options.steps
        ways: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor]]] = {
            "plain": (lambda o=our, x=x: o(x)[0], lambda t=theirs, x=x: t(x)[0]),
            "ragged": (
                lambda o=our, x=x, n=lengths: o(x, lengths=n)[0],
                lambda t=theirs, x=x, n=lengths: _packed(t, x, n),
            ),
            "states": (lambda o=our, x=x: o.unroll(x).output, lambda t=theirs, x=x: t(x)[0]),
        }
        for way, (ours_call, theirs_call) in ways.items():
            torch.testing.assert_close(ours_call(), theirs_call(), rtol=1e-4, atol=1e-5)
            for training in (False, True):
                times = in_turn(
                    options.rounds,
                    {
                        "ours": lambda c=ours_call, t=training: _timed(c, t),
                        "torch": lambda c=theirs_call, t=training: _timed(c, t),
                    },
                )
                rows.append(_row(name, way, training, times))
                print(rows[-1])
    sizes = {"batch": options.batch, "steps": options.steps, "size": options.size, "layers": 2}
    text = json.dumps({"machine": machine(), "sizes": sizes, "cases": rows})
    if options.output:
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def _packed(layer: torch.nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, _ = pad_packed_sequence(layer(packed)[0], total_length=len(x))
    return output


def _timed(call: Callable[[], Tensor], training: bool) -> float:
    start = time.perf_counter()
    if training:
        call().sum().backward()
    else:
        with torch.inference_mode():
            call()
    return time.perf_counter() - start


def _row(name: str, way: str, training: bool, times: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell": name,
        "call": way,
        "pass": "training" if training else "inference",
        "ours_ms": round(1e3 * statistics.median(times["ours"]), 2),
        "torch_ms": round(1e3 * statistics.median(times["torch"]), 2),
        "ratio": times["ratio"],
    }


if __name__ == "__main__":
    main()
