"""The packed-panel product beside torch.mm, one thread, A B A B in one process.

python benchmarks/panel_product.py --output benchmarks/results/panel_product.json
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from measuring import in_turn, machine

from unrolled.kernels import PackedMatrix, available_isas

CASES = [(1, 1024, 256), (6, 1024, 256), (32, 1024, 256), (64, 2048, 512), (64, 2048, 1024)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    rows = []
    for batch, columns, depth in CASES:
        a = chance.standard_normal((batch, depth), dtype=np.float32)
        weight = chance.standard_normal((columns, depth), dtype=np.float32)
        a_torch, weight_torch = torch.from_numpy(a), torch.from_numpy(weight)
        exact = a.astype(np.float64) @ weight.astype(np.float64).T
        repeats = max(1, int(2e8 / (batch * columns * depth)))
        for isa in available_isas():
            packed = PackedMatrix(weight, isa=isa)
            for found in (packed.multiply(a), torch.mm(a_torch, weight_torch.T).numpy()):
                np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-3)
            times = in_turn(
                options.rounds,
                {
                    "ours": lambda p=packed, a=a, n=repeats: _repeat(lambda: p.multiply(a), n),
                    "torch": lambda a=a_torch, w=weight_torch, n=repeats: _repeat(
                        lambda: torch.mm(a, w.T), n
                    ),
                },
            )
            flops = 2 * batch * columns * depth * repeats / 1e9
            rows.append(
                {
                    "rows": batch,
                    "columns": columns,
                    "depth": depth,
                    "isa": isa,
                    "ours_gflops": round(flops / statistics.median(times["ours"]), 1),
                    "torch_gflops": round(flops / statistics.median(times["torch"]), 1),
                    "ratio": times["ratio"],
                }
            )
            print(rows[-1])
    text = json.dumps({"machine": machine(), "cases": rows})
    if options.output:
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def _repeat(work: object, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
