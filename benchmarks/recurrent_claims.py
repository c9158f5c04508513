"""What else is said of the layers: threads, ragged batches, memory, long runs, instruction sets.

    python benchmarks/recurrent_claims.py --output benchmarks/results/recurrent_claims.json

One thread is timed in turn with two, and a ragged batch with the padded one of its shape. Memory is
the resident peak of two training steps in a process of its own, less what was resident before them
with the layer, its input and the libraries loaded and a small layer trained. The cost of a step
is that of whole runs of 10 to 10,000 steps, in turn; runs of fewer steps are repeated in one
measurement. Slower instruction sets are measured by `recurrent_layers.py` in processes that
`UNROLLED_ISA` forces.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from layer_cases import GATES, LARGE, MIDDLE, RAGGED, Case
from measuring import in_turn, machine

from unrolled import kernels, nn

STEPS = (10, 30, 100, 300, 1000, 3000, 10000)
HERE = Path(__file__).parent
# The instruction sets that compute float32 as another does.
FLOATS_OF = {
    "avxvnni": "avx2",
    "avx512vnni": "avx512",
    "avx512bf16": "avx512",
    "amxbf16": "avx512",
    "neondot": "neon",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the JSON here as well")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory-of", nargs=2, metavar=("SIDE", "CELL"), help="of this alone")
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    if options.memory_of:
        print(training_peak(*options.memory_of))
        return
    result: dict[str, Any] = {"machine": machine(), "isa": kernels.isa().name}
    result["rounds"] = options.rounds
    for name, measure in (
        ("threads", threads),
        ("ragged", ragged),
        ("steps", long_runs),
    ):
        result[name] = [row for cell in GATES for row in measure(cell, options.rounds)]
    result["memory"] = [memory(cell) for cell in GATES]
    result["instruction_sets"] = [
        row for isa in slower_isas() for row in beside_torch(isa, options.rounds)
    ]
    text = json.dumps(result)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + "\n", "utf-8")
    print(text)


def threads(cell: str, rounds: int) -> list[dict[str, Any]]:
    """How many times as fast two threads are as one."""
    layer, x = made(cell, LARGE), LARGE.input()
    with torch.inference_mode():
        of_two = layer(x)[0]
        torch.set_num_threads(1)
        check_equal(layer(x)[0], of_two, "one thread and two")
    rows = []
    for what, call in kinds(layer, x, None):

        def of(count: int, call: Callable[[], None] = call) -> Callable[[], float]:
            def measured() -> float:
                torch.set_num_threads(count)
                return timed(call)

            return measured

        times = in_turn(rounds, {"two": of(2), "one": of(1)})
        torch.set_num_threads(2)
        rows.append(as_row(cell, what, times))
    return rows


def ragged(cell: str, rounds: int) -> list[dict[str, Any]]:
    """The cost of a real step in a ragged batch over that in a padded one."""
    layer, x, lengths = made(cell, RAGGED), RAGGED.input(), RAGGED.lengths()
    with torch.inference_mode():
        of_all = layer(x, lengths=lengths)[0]
        for sample in range(0, RAGGED.batch, 9):
            here = slice(sample, sample + 1)
            alone = layer(x[: lengths[sample], here])[0]
            check_equal(alone, of_all[: lengths[sample], here], f"sample {sample} alone")
    padded = dict(kinds(layer, x, None))
    rows = []
    for what, call in kinds(layer, x, lengths):
        whole = padded[what]
        sides = {"padded": lambda w=whole: timed(w), "ragged": lambda c=call: timed(c)}
        row = as_row(cell, what, in_turn(rounds, sides))
        share = RAGGED.real_steps() / (RAGGED.batch * RAGGED.steps)
        row["over_real_steps"] = {
            name: round(value / share, 2) for name, value in row["ratio"].items()
        }
        rows.append(row | {"real_share": round(share, 3)})
    return rows


def long_runs(cell: str, rounds: int) -> list[dict[str, Any]]:
    """Microseconds a step of runs of many lengths, and how much more one of the longest takes.

    Than one of 100 steps, that is; short runs hold more of the cost of a call.
    """
    rows = []
    for batch in (1, 16):
        layer = made(cell, MIDDLE)
        x = torch.randn(max(STEPS), batch, MIDDLE.size)
        times: dict[int, list[float]] = {steps: [] for steps in STEPS}
        with torch.inference_mode():
            for _ in range(3):  # a host is slow with memory that it gives for the first time
                layer(x)
        for turn in range(1 + (rounds if batch == 1 else max(3, rounds // 3))):
            for steps in STEPS:
                repeats = max(1, 1000 // steps)

                def call(
                    layer: Any = layer, part: torch.Tensor = x[:steps], repeats: int = repeats
                ) -> None:
                    with torch.inference_mode():
                        for _ in range(repeats):
                            layer(part)

                seconds = timed(call) / (steps * repeats)
                if turn > 0:  # the first is a warm-up
                    times[steps].append(1e6 * seconds)
        medians = {steps: statistics.median(found) for steps, found in times.items()}
        spread = {
            steps: [round(min(found), 2), round(max(found), 2)] for steps, found in times.items()
        }
        drift = 100 * (medians[max(STEPS)] / medians[100] - 1)
        rows.append(
            {
                "cell": cell,
                "batch": batch,
                "microseconds_a_step": {steps: round(found, 2) for steps, found in medians.items()},
                "least_and_most": spread,
                "drift_percent": round(drift, 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def memory(cell: str) -> dict[str, Any]:
    """MiB that a training step of the large case takes, ours and torch's, each in its process."""
    found = {}
    for side in ("ours", "torch"):
        command = [sys.executable, __file__, "--memory-of", side, cell]
        runs = [
            float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(3)
        ]
        found[side] = round(statistics.median(runs), 1)
    row = {"cell": cell, "mib": found, "ratio": round(found["torch"] / found["ours"], 2)}
    print(row, flush=True)
    return row


def training_peak(side: str, cell: str) -> float:
    """MiB that two training steps take in this process at most, once everything is loaded."""
    package = nn if side == "ours" else torch.nn
    small = getattr(package, cell)(8, 8)
    small(torch.randn(3, 2, 8))[0].sum().backward()
    layer = getattr(package, cell)(LARGE.size, LARGE.size, **LARGE.settings)
    x = LARGE.input()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    for _ in range(2):
        layer(x)[0].sum().backward()
    return resident("VmHWM") - before


def resident(name: str) -> float:
    """MiB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def slower_isas() -> list[str]:
    """Those whose float32 kernels are not the ones in use."""
    used = FLOATS_OF.get(kernels.isa().name, kernels.isa().name)
    return [isa for isa in kernels.available_isas() if isa not in FLOATS_OF and isa != used]


def beside_torch(isa: str, rounds: int) -> list[dict[str, Any]]:
    """Inference beside torch with another instruction set."""
    done = subprocess.run(
        [
            sys.executable,
            str(HERE / "recurrent_layers.py"),
            "--inference-beside-torch",
            "--rounds",
            str(rounds),
        ],
        env={**os.environ, "UNROLLED_ISA": isa},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    if found["isa"] != isa:
        raise RuntimeError(f"{found['isa']} was measured and not {isa}")
    keys = ("cell", "name", "ms", "ratio")
    rows = [{"isa": isa, **{key: row[key] for key in keys}} for row in found["cases"]]
    print(rows, flush=True)
    return rows


def kinds(layer: Any, x: torch.Tensor, lengths: Any) -> list[tuple[str, Callable[[], None]]]:
    """An inference run and a training step."""

    def inference() -> None:
        with torch.inference_mode():
            layer(x, lengths=lengths)

    def training() -> None:
        layer(x, lengths=lengths)[0].sum().backward()

    return [("inference", inference), ("training", training)]


def check_equal(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """Refuse to time what is not the same, bit for bit."""
    if not torch.equal(found, expected):
        raise SystemExit(f"{what}: the outputs differ")


def made(cell: str, case: Case) -> Any:
    """Our layer of a case."""
    return getattr(nn, cell)(case.size, case.size, **case.settings)


def timed(call: Callable[[], None]) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def as_row(cell: str, what: str, times: dict[str, Any]) -> dict[str, Any]:
    """Medians in milliseconds, and the ratio of each round."""
    medians = {
        side: round(1e3 * statistics.median(found), 3)
        for side, found in times.items()
        if side != "ratio"
    }
    row = {"cell": cell, "what": what, "ms": medians, "ratio": times["ratio"]}
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
