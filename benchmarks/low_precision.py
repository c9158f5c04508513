"""Quantized layers beside the same layers in float32, both ours: A B A B in one process.

    python benchmarks/low_precision.py --output benchmarks/results/low_precision.json

Single steps of a stream, many in a row on each side, one sample and a large batch, inference only.
Every row holds the error of `output` against float32 in that very run, and no row is timed whose
error is out of bounds.
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

from unrolled import nn
from unrolled.kernels import isa

CELLS = ("GRU", "RNN", "LSTM")
# Name, batch, steps, size, directions.
CASES = (("one sample", 1, 100, 256, 1), ("large", 64, 50, 512, 2))
STEPS_IN_A_ROW = 50
LARGEST = {"int8": 0.1, "bf16": 0.03}  # of the elements of `output`, which lie within -1 and 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows: list[dict[str, Any]] = []
    for cell in CELLS:
        for precision in ("int8", "bf16"):
            rows.append(stream_row(cell, precision, 4 * options.rounds))
            print(rows[-1], flush=True)
            for name, batch, steps, size, directions in CASES:
                layer = getattr(nn, cell)(size, size, 2, bidirectional=directions == 2)
                rounds = options.rounds * (5 if batch == 1 else 1)
                x = torch.randn(steps, batch, size)
                rows.append(layer_row(cell, name, layer, precision, x, rounds))
                print(rows[-1], flush=True)
    result = {"machine": machine(), "isa": isa().name, "cases": rows}
    text = json.dumps(result)
    if options.output:
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def layer_row(
    cell: str, name: str, layer: Any, precision: str, x: Tensor, rounds: int
) -> dict[str, Any]:
    """A whole run."""
    small = layer.quantize(precision, samples=x)
    with torch.no_grad():
        error = checked(small(x)[0], layer(x)[0], precision)
    times = in_turn(
        rounds,
        {precision: lambda: timed(lambda: small(x)), "fp32": lambda: timed(lambda: layer(x))},
    )
    return as_row(cell, name, precision, times, error)


def stream_row(cell: str, precision: str, rounds: int) -> dict[str, Any]:
    """One step after the other of one sample and two layers of 256 units."""
    layer = getattr(nn, cell)(256, 256, 2)
    small, exact = nn.Stream(layer.quantize(precision)), nn.Stream(layer)
    x = torch.randn(100, 1, 256)
    pairs = [(small.push(x_t).clone(), exact.push(x_t).clone()) for x_t in x]
    found, expected = (torch.stack(list(side)) for side in zip(*pairs, strict=True))
    error = checked(found, expected, precision)
    x_t = x[0]

    def steps(stream: nn.Stream) -> float:
        """Seconds of one of many steps in a row, as a stream makes them."""
        start = time.perf_counter()
        for _ in range(STEPS_IN_A_ROW):
            stream.push(x_t)
        return (time.perf_counter() - start) / STEPS_IN_A_ROW

    times = in_turn(rounds, {precision: lambda: steps(small), "fp32": lambda: steps(exact)})
    return as_row(cell, "one step", precision, times, error)


def checked(found: Tensor, expected: Tensor, precision: str) -> float:
    """The largest error of an element."""
    error = float((found - expected).abs().max())
    if not 0 < error < LARGEST[precision]:
        raise SystemExit(f"{precision} is off by {error}")
    return error


def timed(call: Callable[[], Any]) -> float:
    """Seconds of a call."""
    with torch.inference_mode():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def as_row(
    cell: str, name: str, precision: str, times: dict[str, Any], error: float
) -> dict[str, Any]:
    """Medians and quartiles in milliseconds, and the ratio of each round."""
    sides = {side: times[side] for side in (precision, "fp32")}
    medians = {side: round(1e3 * statistics.median(found), 4) for side, found in sides.items()}
    quartiles = {
        side: [round(1e3 * part, 4) for part in statistics.quantiles(found, n=4)[::2]]
        for side, found in sides.items()
    }
    return {
        "cell": cell,
        "name": name,
        "precision": precision,
        "ms": medians,
        "quartiles_ms": quartiles,
        "ratio": times["ratio"],
        "largest_error": float(f"{error:.2g}"),
    }


if __name__ == "__main__":
    main()
