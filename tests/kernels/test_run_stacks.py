"""The kernels in a program of their own: under sanitizers, and on a machine that is not at hand."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
SHARED = ("instruction_sets.cpp", "stack.cpp", "stack_backward.cpp", "threads.cpp")
KERNELS = ("kernels.cpp", "layer_forward.cpp", "layer_backward.cpp", "attention.cpp")
X86 = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}
# Of these the forward run alone is compiled again.
X86_ON_TOP = {
    "avxvnni": [*X86["avx2"], "-mavxvnni"],
    "avx512vnni": [*X86["avx512"], "-mavx512vnni"],
    "avx512bf16": [*X86["avx512"], "-mavx512vnni", "-mavx512bf16"],
}
NEON_ON_TOP = {"neondot": ["-march=armv8.2-a+dotprod"]}
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def build(
    compiler: str,
    flags: Sequence[str],
    isas: dict[str, list[str]],
    on_top: dict[str, list[str]],
    machine: str,
    folder: Path,
) -> Path:
    """The program that runs stacks of many shapes."""
    all_flags = ["-std=c++20", "-ffp-contract=fast", f"-DUNROLLED_{machine}", f"-I{CSRC}", *flags]
    jobs = {f"{name}.o": [str(CSRC / name)] for name in SHARED}
    jobs["main.o"] = [str(HERE / "run_stacks.cpp")]
    for isa, options in isas.items():
        for name in KERNELS:
            jobs[f"{isa}.{name}.o"] = [*options, f"-DUNROLLED_ISA={isa}", str(CSRC / name)]
    for isa, options in on_top.items():
        source = str(CSRC / "layer_forward.cpp")
        jobs[f"{isa}.layer_forward.cpp.o"] = [*options, f"-DUNROLLED_ISA={isa}", source]
    for target, job in jobs.items():
        subprocess.run([compiler, *all_flags, "-c", *job, "-o", str(folder / target)], check=True)
    program = folder / "run_stacks"
    objects = [str(folder / target) for target in jobs]
    subprocess.run([compiler, *all_flags, *objects, "-o", str(program), "-pthread"], check=True)
    return program


def run(command: list[str], runs: int) -> None:
    done = subprocess.run(
        [*command, str(runs)],
        capture_output=True,
        text=True,
        # The pool is never destroyed on purpose, which is no leak.
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert done.stdout.startswith(f"{runs} runs on each of")


@pytest.mark.skipif(
    shutil.which("g++") is None or platform.machine() != "x86_64",
    reason="builds with g++ for x86-64; runs again where both are",
)
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(sanitizers: str, tmp_path: Path) -> None:
    flags = ["-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    run([str(build("g++", flags, X86, X86_ON_TOP, "X86", tmp_path))], 25)


@pytest.mark.skipif(
    shutil.which(CROSS) is None or shutil.which(EMULATOR) is None,
    reason=f"needs {CROSS} and {EMULATOR}; .ci/run installs them",
)
def test_neon_computes_the_same(tmp_path: Path) -> None:
    program = build(CROSS, ["-O2", "-static"], {"neon": []}, NEON_ON_TOP, "NEON", tmp_path)
    run([EMULATOR, str(program)], 60)
