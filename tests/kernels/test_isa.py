"""Who computes, and why: the variable, a machine without a compiler, a module that is not there."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from unrolled import kernels

ROOT = Path(__file__).parents[2]
HIDE_THE_MODULE = "import sys; sys.modules['unrolled.kernels._native'] = None\n"
SHOW = "import unrolled.kernels as k; print(k.isa().name)"


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def has_compiler() -> bool:
    named = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
    return shutil.which(named.split()[0]) is not None


@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler here: apt-get install g++")
def test_where_there_is_a_compiler_there_is_a_module() -> None:
    assert kernels.why_unavailable() is None


@pytest.mark.parametrize("isa", kernels.available_isas())
def test_the_variable_forces_an_instruction_set(isa: str) -> None:
    assert run(SHOW, UNROLLED_ISA=isa).stdout.strip() == isa


def test_the_variable_refuses_what_does_not_exist() -> None:
    said = run(SHOW, UNROLLED_ISA="mmx").stderr
    assert "ValueError: UNROLLED_ISA is 'mmx', but " in said


def test_without_the_module_there_is_one_warning() -> None:
    done = run(HIDE_THE_MODULE + SHOW + "; k.isa(); print(k.available_isas())", UNROLLED_ISA="")
    assert done.stdout.split("\n")[:2] == ["numpy", "('numpy',)"]
    assert done.stderr.count("RuntimeWarning: unrolled was installed without its compiled") == 1


def test_without_the_module_no_instruction_set_can_be_forced() -> None:
    said = run(HIDE_THE_MODULE + SHOW, UNROLLED_ISA="avx2").stderr
    assert "ValueError: UNROLLED_ISA is 'avx2', but unrolled was installed without" in said


def test_installs_and_multiplies_without_a_compiler(tmp_path: Path) -> None:
    """The real build, where no program is found and the named compiler does not exist."""
    source, site, empty = tmp_path / "source", tmp_path / "site", tmp_path / "empty"
    source.mkdir()
    empty.mkdir()
    for name in ("pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "csrc", source / "csrc")
    shutil.copytree(
        ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    nowhere = str(empty / "no-compiler")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(site), str(source)],
        env={**os.environ, "PATH": str(empty), "CC": nowhere, "CXX": nowhere},
        check=True,
        capture_output=True,
        text=True,
    )
    assert not list(site.rglob("*.so"))
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'ditable' not in type(f).__module__]\n"
        "import numpy as np, unrolled.kernels as k\n"
        f"assert k.__file__.startswith({str(site)!r}), k.__file__\n"
        "w = np.ones((2, 3), np.float32)\n"
        "print(k.PackedMatrix(w).multiply(w).tolist(), k.why_unavailable())"
    )
    done = run(code, UNROLLED_ISA="", PYTHONPATH="")
    assert done.stdout.startswith("[[3.0, 3.0], [3.0, 3.0]] unrolled was installed without"), done
