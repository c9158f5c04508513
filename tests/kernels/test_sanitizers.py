"""The kernels under the sanitizers of addresses, undefined behaviour and threads."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
SHARED = ("instruction_sets.cpp", "stack.cpp", "stack_backward.cpp", "threads.cpp")
KERNELS = ("kernels.cpp", "layer_forward.cpp", "layer_backward.cpp", "attention.cpp")
ISAS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None or platform.machine() != "x86_64",
    reason="builds with g++ for x86-64; runs again where both are",
)


@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_nothing_is_found(sanitizers: str, tmp_path: Path) -> None:
    flags = ["-std=c++20", "-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    flags += ["-DUNROLLED_X86", "-ffp-contract=fast", f"-I{CSRC}", "-c"]
    jobs = [[*flags, str(CSRC / name), "-o", str(tmp_path / f"{name}.o")] for name in SHARED]
    jobs += [[*flags, str(HERE / "run_stacks.cpp"), "-o", str(tmp_path / "main.o")]]
    for isa, options in ISAS.items():
        for name in KERNELS:
            target = tmp_path / f"{isa}.{name}.o"
            jobs.append(
                [*flags, *options, f"-DUNROLLED_ISA={isa}", str(CSRC / name), "-o", str(target)]
            )
    for job in jobs:
        subprocess.run(["g++", *job], check=True)
    program = tmp_path / "run_stacks"
    objects = [str(path) for path in tmp_path.glob("*.o")]
    subprocess.run(
        ["g++", f"-fsanitize={sanitizers}", *objects, "-o", str(program), "-pthread"], check=True
    )
    done = subprocess.run(
        [str(program), "25"],
        capture_output=True,
        text=True,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert done.stdout.startswith("25 runs on each of")
