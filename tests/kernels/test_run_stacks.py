"""The kernels in a program of their own: under sanitizers, and on a machine that is not at hand."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kernel_builds import BASELINE, NEON, X86, Build, needs_x86

from unrolled import kernels

PROGRAMS = ("run_stacks", "run_search")
# Sanitizers make compiling slow; what is around the kernels takes little of the run.
SOON_COMPILED = ["-O0"]
# Threads that wait for each other sleep at once, which they seldom do in so short a run.
SLEEPY = ["-DUNROLLED_PAUSES=0"]
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def run(command: list[str], runs: int) -> None:
    done = subprocess.run(
        [*command, str(runs)],
        capture_output=True,
        text=True,
        # The pool is never destroyed on purpose, which is no leak.
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
        check=False,
        timeout=300,  # or threads that wait for each other would do so for ever
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert done.stdout.startswith(f"{runs} runs on each of")


@needs_x86
def test_no_fault_of_memory_is_found(tmp_path: Path) -> None:
    flags = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    here = [isa for isa in X86 if isa.name in kernels.available_isas()]
    for program in Build("g++", flags, here, tmp_path, SOON_COMPILED).programs(*PROGRAMS):
        run([str(program)], 10)


@needs_x86
def test_no_race_is_found(tmp_path: Path) -> None:
    """With one instruction set: what threads share is the same code in all of them."""
    flags = ["-O1", "-g1", "-fsanitize=thread", "-fno-sanitize-recover=all", *SLEEPY]
    for program in Build("g++", flags, [BASELINE], tmp_path, SOON_COMPILED).programs(*PROGRAMS):
        run([str(program)], 15)


@pytest.mark.skipif(
    shutil.which(CROSS) is None or shutil.which(EMULATOR) is None,
    reason=f"needs {CROSS} and {EMULATOR}; .ci/run installs them",
)
def test_neon_computes_the_same(tmp_path: Path) -> None:
    flags = ["-O2", "-static", *SLEEPY]
    for program in Build(CROSS, flags, NEON, tmp_path).programs(*PROGRAMS):
        run([EMULATOR, str(program)], 6)
