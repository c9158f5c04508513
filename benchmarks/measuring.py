"""Timing two things in turn, and naming the machine."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch


def in_turn(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, Any]:
    """Run two sides A B A B after a warm-up of each.

    Args:
        rounds: measurements of each side.
        sides: two functions that do their work and return its seconds; ours first.

    Returns:
        The seconds of each side, and under `ratio` the median, least and most of the second's over
        the first's, round by round.
    """
    times: dict[str, Any] = {name: [] for name in sides}
    for work in sides.values():
        work()
    for _ in range(rounds):
        for name, work in sides.items():
            times[name].append(work())
    ours, theirs = times.values()
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    times["ratio"] = {
        "median": round(statistics.median(ratios), 2),
        "min": round(min(ratios), 2),
        "max": round(max(ratios), 2),
    }
    return times


def settle() -> None:
    """Wait until no thread of the process is busy: onnxruntime's spin for tens of milliseconds."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.01)
        if time.process_time() - before < 0.001:
            return
    raise RuntimeError("threads of this process have been busy for a second without being called")


def machine() -> dict[str, str | int]:
    """What a reader needs to place the figures."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "processor": names[0] if names else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        # Of PyTorch's threads: where they are told to sleep at once, waking them costs it much.
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "commit": commit,
    }
