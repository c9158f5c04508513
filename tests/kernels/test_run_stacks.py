"""The kernels in a program of their own: under sanitizers, and on a machine that is not at hand."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from unrolled import kernels

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
SHARED = (
    "instruction_sets.cpp",
    "stack.cpp",
    "stack_backward.cpp",
    "threads.cpp",
    "attention_decoder.cpp",
    "beam.cpp",
    "search.cpp",
)
PROGRAMS = ("run_stacks", "run_search")
KERNELS = ("kernels.cpp", "layer_forward.cpp", "layer_backward.cpp", "attention.cpp")
FORWARD_ONLY = ("layer_forward.cpp",)
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]


@dataclass(frozen=True)
class IsaBuild:
    """How one instruction set is compiled: its name, its options and the set that it comes on."""

    name: str
    options: Sequence[str] = ()
    below: str | None = None

    @property
    def as_macro(self) -> str:
        return f"SET_ON_TOP({self.name},{self.below})" if self.below else f"SET({self.name})"

    @property
    def sources(self) -> Sequence[str]:
        return FORWARD_ONLY if self.below else KERNELS


X86 = (
    IsaBuild("baseline"),
    IsaBuild("avx2", AVX2),
    IsaBuild("avxvnni", [*AVX2, "-mavxvnni"], "avx2"),
    IsaBuild("avx512", AVX512),
    IsaBuild("avx512vnni", [*AVX512, "-mavx512vnni"], "avx512"),
    IsaBuild("avx512bf16", [*AVX512, "-mavx512vnni", "-mavx512bf16"], "avx512"),
)
NEON = (IsaBuild("neon"), IsaBuild("neondot", ["-march=armv8.2-a+dotprod"], "neon"))
# Sanitizers make compiling slow; what is around the kernels takes little of the run.
SOON_COMPILED = ["-O0"]
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def build(
    compiler: str,
    flags: Sequence[str],
    isas: Sequence[IsaBuild],
    folder: Path,
    *,
    around: Sequence[str] = (),
) -> list[Path]:
    """The programs that run stacks, and search with decoders, of many shapes.

    `around` are options for what is not a kernel.
    """
    sets = "".join(isa.as_macro for isa in isas)
    all_flags = ["-std=c++20", "-ffp-contract=fast", f"-I{CSRC}", *flags]
    plain = [*all_flags, *around, f"-DUNROLLED_SETS={sets}"]
    jobs = {folder / f"{name}.o": [*plain, str(CSRC / name)] for name in SHARED}
    for isa in isas:
        of_isa = [*all_flags, *isa.options, f"-DUNROLLED_ISA={isa.name}"]
        for name in isa.sources:
            jobs[folder / f"{isa.name}.{name}.o"] = [*of_isa, str(CSRC / name)]
    for target, job in jobs.items():
        subprocess.run([compiler, *job, "-c", "-o", str(target)], check=True)
    programs = [folder / name for name in PROGRAMS]
    for program in programs:
        linked = [
            str(HERE / f"{program.name}.cpp"),
            *map(str, jobs),
            "-o",
            str(program),
            "-pthread",
        ]
        subprocess.run([compiler, *plain, *linked], check=True)
    return programs


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


needs_x86 = pytest.mark.skipif(
    shutil.which("g++") is None or platform.machine() != "x86_64",
    reason="builds with g++ for x86-64; runs again where both are",
)


@needs_x86
def test_no_fault_of_memory_is_found(tmp_path: Path) -> None:
    flags = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    here = [isa for isa in X86 if isa.name in kernels.available_isas()]
    for program in build("g++", flags, here, tmp_path, around=SOON_COMPILED):
        run([str(program)], 25)


@needs_x86
def test_no_race_is_found(tmp_path: Path) -> None:
    """With one instruction set: what threads share is the same code in all of them."""
    flags = ["-O1", "-g1", "-fsanitize=thread", "-fno-sanitize-recover=all"]
    for program in build("g++", flags, [IsaBuild("baseline")], tmp_path, around=SOON_COMPILED):
        run([str(program)], 25)


@pytest.mark.skipif(
    shutil.which(CROSS) is None or shutil.which(EMULATOR) is None,
    reason=f"needs {CROSS} and {EMULATOR}; .ci/run installs them",
)
def test_neon_computes_the_same(tmp_path: Path) -> None:
    for program in build(CROSS, ["-O2", "-static"], NEON, tmp_path):
        run([EMULATOR, str(program)], 25)
