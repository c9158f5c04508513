"""The kernels, built by the tests: in programs and in a module, with any compiler and options."""

import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nanobind
import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
SHARED = (
    "instruction_sets.cpp",
    "stack.cpp",
    "stack_backward.cpp",
    "weight_gradients.cpp",
    "threads.cpp",
    "openmp.cpp",
    "attention_decoder.cpp",
    "beam.cpp",
    "search.cpp",
)
BINDINGS = ("bindings.cpp", "stack_bindings.cpp", "search_bindings.cpp")
KERNELS = ("kernels.cpp", "layer_forward.cpp", "layer_backward.cpp", "attention.cpp")
FORWARD_ONLY = ("layer_forward.cpp",)
LIBRARIES = ["-pthread", "-ldl"]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]
BF16 = [*AVX512, "-mavx512vnni", "-mavx512bf16"]

needs_x86 = pytest.mark.skipif(
    shutil.which("g++") is None or platform.machine() != "x86_64",
    reason="builds with g++ for x86-64; runs again where both are",
)


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


BASELINE = IsaBuild("baseline")
X86 = (
    BASELINE,
    IsaBuild("avx2", AVX2),
    IsaBuild("avxvnni", [*AVX2, "-mavxvnni"], "avx2"),
    IsaBuild("avx512", AVX512),
    IsaBuild("avx512vnni", [*AVX512, "-mavx512vnni"], "avx512"),
    IsaBuild("avx512bf16", BF16, "avx512"),
    IsaBuild("amxbf16", [*BF16, "-mamx-tile", "-mamx-bf16"], "avx512"),
)
NEON = (IsaBuild("neon"), IsaBuild("neondot", ["-march=armv8.2-a+dotprod"], "neon"))


@dataclass(frozen=True)
class Build:
    """How the kernels are compiled, and where to.

    Attributes:
        compiler: a C++ compiler.
        flags: options for all sources.
        isas: the instruction sets.
        folder: of what is built.
        around: options for what is not a kernel.
    """

    compiler: str
    flags: Sequence[str]
    isas: Sequence[IsaBuild]
    folder: Path
    around: Sequence[str] = ()

    def programs(self, *names: str) -> list[Path]:
        """The programs of these sources in the folder of this file."""
        objects = self._compiled(SHARED)
        for name in names:
            source = HERE / f"{name}.cpp"
            self._call(*self._plain, source, *objects, *LIBRARIES, "-o", self.folder / name)
        return [self.folder / name for name in names]

    def module(self, *besides: str, linked: Sequence[str] = ()) -> Path:
        """The compiled module, with these sources in the folder of this file beside its own.

        `linked` are options for the linker.
        """
        package = Path(nanobind.__file__).parent
        robin_map = package / "ext" / "robin_map" / "include"
        places = [sysconfig.get_path("include"), nanobind.include_dir(), str(robin_map)]
        headers = [option for place in places for option in ("-isystem", place)]
        nanobind_object = self.folder / "nanobind.o"
        # Not ours, so it is left as it is.
        plain = ["-std=c++20", "-fPIC", "-O0", "-c", package / "src" / "nb_combined.cpp"]
        self._call(*headers, *plain, "-o", nanobind_object)
        objects = self._compiled([*SHARED, *BINDINGS], "-fPIC", *headers)
        ours = [HERE / f"{name}.cpp" for name in besides]
        target = self.folder / "_native.so"
        parts = [*ours, *objects, nanobind_object, "-shared", "-fPIC", *LIBRARIES, "-o", target]
        self._call(*self._plain, *parts, *linked)
        return target

    @property
    def _all_flags(self) -> list[str]:
        return ["-std=c++20", "-ffp-contract=fast", f"-I{CSRC}", *self.flags]

    @property
    def _plain(self) -> list[str]:
        sets = "".join(isa.as_macro for isa in self.isas)
        return [*self._all_flags, *self.around, f"-DUNROLLED_SETS={sets}"]

    def _compiled(self, around: Sequence[str], *options: str) -> list[Path]:
        jobs = {self.folder / f"{name}.o": [*self._plain, CSRC / name] for name in around}
        for isa in self.isas:
            of_isa = [*self._all_flags, *isa.options, f"-DUNROLLED_ISA={isa.name}"]
            for name in isa.sources:
                jobs[self.folder / f"{isa.name}.{name}.o"] = [*of_isa, CSRC / name]
        for target, job in jobs.items():
            self._call(*job, *options, "-c", "-o", target)
        return list(jobs)

    def _call(self, *arguments: str | Path) -> None:
        subprocess.run([self.compiler, *arguments], check=True)
