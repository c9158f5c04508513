"""The house keeps its order: imports, exports, the README's tree, no traces of laziness."""

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from unrolled import kernels

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "unrolled"
ORDER = ("grid", "kernels", "nn", "seq2seq", "tasks", "explanation", "doctor", "cli")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_folders(path: Path) -> Iterator[str]:
    """The folders of the package that a file imports, lazily or not."""
    depth_here = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == depth_here:
                parts = module.split(".") if module else [alias.name for alias in node.names]
                yield parts[0]
            elif node.level == 0 and module.startswith("unrolled."):
                yield module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("unrolled."):
                    yield alias.name.split(".")[1]


def test_every_folder_has_a_place_in_the_order() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == set(ORDER)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_folder_imports_only_from_those_above_it(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    if len(parts) == 1:
        return
    allowed = ORDER[: ORDER.index(parts[0]) + 1]
    for folder in imported_folders(path):
        assert folder in allowed or folder not in ORDER, f"{path} imports {folder}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_user_input_is_checked_with_assert(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("folder", ORDER)
def test_public_names_are_documented(folder: str) -> None:
    """The names a folder exports are those its reference page lists, neither more nor fewer."""
    tree = ast.parse((PACKAGE / folder / "__init__.py").read_text("utf-8"))
    exported = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    page = (ROOT / "docs" / "reference" / f"{folder}.md").read_text("utf-8")
    documented = set(re.findall(r"^- `(\w+)`", page, flags=re.MULTILINE))
    assert documented == exported


def test_the_tree_in_the_readme_is_true() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    tree = re.search(r"## The tree\n\n```\n(.*?)```", readme, flags=re.DOTALL)
    assert tree is not None
    path: list[str] = []
    listed: set[str] = set()
    for line in tree[1].splitlines():
        name, comment = re.match(r"( *\S+) +(\S.*)$", line).groups()  # type: ignore[union-attr]
        assert comment, f"{line!r} has no comment"
        depth = (len(name) - len(name.lstrip())) // 2
        path = [*path[:depth], name.strip()]
        entry = "".join(path)
        assert (ROOT / entry).exists(), entry
        listed.add(entry.rstrip("/"))
    expected = {f"src/unrolled/{folder}" for folder in ORDER}
    expected |= {f"csrc/{p.name}" for p in (ROOT / "csrc").iterdir()}
    tracked = subprocess.run(
        ["git", "ls-tree", "-d", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    expected |= {name for name in tracked if not name.startswith(".") and name != "src"}
    assert expected <= listed


def run_without(modules: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    block = f"import sys; sys.modules.update(dict.fromkeys({modules!r}))\n"
    return subprocess.run(
        [sys.executable, "-c", block + code], capture_output=True, text=True, check=False
    )


def test_numpy_only_parts_work_without_torch() -> None:
    code = (
        "import numpy as np, unrolled\n"
        "from unrolled import grid, kernels\n"
        "states = grid.StateGrid(np.ones((2, 1, 3, 2, 4)))\n"
        "assert states.output.shape == (3, 2, 4)\n"
        "w = np.ones((2, 3), np.float32)\n"
        "assert kernels.PackedMatrix(w).multiply(w[:1]).tolist() == [[3, 3]]\n"
        "print(unrolled.StateAddress('hidden', 0, 'forward', 0))\n"
    )
    done = run_without(("torch", "jaxtyping", "lightning"), code)
    assert done.stdout.strip() == "h[layer=0, forward, step=0]", done.stderr


def core_distributions() -> Iterator[metadata.Distribution]:
    """What `pip install unrolled` brings, without its extras."""
    waiting, seen = ["unrolled"], set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        yield found
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)


def core_site(site: Path) -> None:
    """An environment with the core distributions alone, linked from the one of the tests."""
    for found in core_distributions():
        for file in found.files or ():
            top = file.parts[0]
            target = site / top
            if top in ("..", "__pycache__") or target.exists() or top.endswith(".pth"):
                continue
            if not top.startswith(("unrolled", "_editable")) or top.endswith(".dist-info"):
                target.symlink_to(found.locate_file(top))
    shutil.copytree(PACKAGE, site / "unrolled", ignore=shutil.ignore_patterns("__pycache__"))
    if kernels.why_unavailable() is None:
        module = importlib.import_module("unrolled.kernels._native")
        shutil.copy(str(module.__file__), site / "unrolled" / "kernels")


def test_the_core_works_where_nothing_else_is_installed(tmp_path: Path) -> None:
    core_site(tmp_path)
    assert not (tmp_path / "torch").exists()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import importlib.util\n"
        "for name in ('torch', 'jaxtyping', 'lightning', 'rich'):\n"
        "    assert importlib.util.find_spec(name) is None, name\n"
        "import numpy as np, unrolled\n"
        "from unrolled import grid, kernels\n"
        "from unrolled.cli import main\n"
        f"assert kernels.why_unavailable() == {kernels.why_unavailable()!r}\n"
        "assert grid.StateGrid(np.ones((2, 1, 3, 2, 4))).output.shape == (3, 2, 4)\n"
        "w = np.ones((2, 3), np.float32)\n"
        "assert kernels.PackedMatrix(w).multiply(w).tolist() == [[3, 3], [3, 3]]\n"
        "assert main(['--help']) == 0\n"
        "assert main(['info']) == 0\n"
        "assert main(['explain', '--cell', 'lstm', '--steps', '3']) == 0\n"
        "assert main(['doctor', '--explain', 'M03']) == 0\n"
        "assert main(['doctor', 'model.py:build', '--input', 'float[4,7,16]']) == 2\n"
        "assert main(['fit', '--train=a', '--dev=b', '--output=c']) == 2\n"
        "try:\n    import unrolled.nn\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "fit" in done.stdout
    assert re.search(r"^torch +not installed$", done.stdout, flags=re.MULTILINE)
    way_out = 'install the extra "{0}": pip install ".[{0}]" in a clone of unrolled'
    absent = "torch and jaxtyping"
    assert f"none ({absent} not installed; {way_out.format('torch')})" in done.stdout
    assert "3 steps" in done.stdout
    assert "M03" in done.stdout
    assert done.stdout.endswith(
        f"unrolled.nn needs {absent}, which are not installed; {way_out.format('torch')}\n"
    )
    of_doctor, of_fit = done.stderr.splitlines()[-2:]
    assert of_doctor.startswith("unrolled doctor: this needs torch, which is not installed; ")
    assert of_doctor.endswith(way_out.format("torch"))
    assert of_fit.startswith("unrolled fit: this needs ")
    assert of_fit.endswith(way_out.format("train"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from unrolled.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'jsonargparse', 'lightning', 'tokenizers', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.stderr.strip() == "[]"
    assert "fit" in done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "from unrolled.cli import main; assert main(['predict', MODEL, 'abc', '--json']) == 0",
        "import unrolled; unrolled.from_pretrained(MODEL).predict(['abc'], beam_size=2)",
    ],
    ids=["command", "function"],
)
def test_predicting_imports_nothing_that_trains(code: str) -> None:
    training = {
        "lightning",
        "sympy",
        "rapidfuzz",
        "rich",
        "tensorboardX",
        "torchmetrics",
    }  # sympy comes with PyTorch's compiler
    if code.startswith("import unrolled"):
        training |= {"jsonargparse", "yaml"}
    model = ROOT / "tests" / "models" / "v0.1.0"
    lines = (
        f"MODEL = {str(model)!r}",
        code,
        "import sys",
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    imported = set(ast.literal_eval(done.stderr.splitlines()[-1]))
    assert "torch" in imported
    assert not imported & training
