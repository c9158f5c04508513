"""``unrolled doctor``: the user's own model is looked at, and a mistake is explained."""

import gc
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unrolled.cli import main
from unrolled.cli._input_spec import example_inputs, read_input
from unrolled.doctor import MISTAKES, Report, mistake
from unrolled.errors import DataError, UsageError

Capture = pytest.CaptureFixture[str]

EXTRA = """

def build():
    return Classifier()


def with_examples():
    return Classifier(), torch.randn(4, 7, 8)


def broken():
    raise RuntimeError("no weights here")


def leaves():
    raise SystemExit(0)


def needy(size):
    return size


async def waits():
    return Classifier()


number = 3
"""


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    """A file with the model of M01."""
    path = tmp_path / "wrong_model.py"
    path.write_text(mistake("M01").wrong_code + EXTRA)
    return str(path)


@pytest.fixture
def right(tmp_path: Path) -> str:
    """A file with the same model, mended."""
    path = tmp_path / "right_model.py"
    path.write_text(mistake("M01").right_code + EXTRA)
    return str(path)


@pytest.mark.parametrize("name", ["build", "Classifier", "model"])
def test_a_wrong_model_is_found(name: str, wrong: str, capsys: Capture) -> None:
    assert main(["doctor", f"{wrong}:{name}", "--input=float[4,7,8]", "--checks=M01,m3"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("Classifier: 1 error", "M01 error in lstm", "Repair:", "--explain M01"):
        assert words in out


def test_checks_that_could_not_be_run_are_told(right: str, capsys: Capture) -> None:
    assert main(["doctor", f"{right}:build", "--input=float[1,7,8]"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "M03, M04, M07, M26: the example holds one sample; give a batch of at least two." in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--html={model}"], "--html would replace {model}, which holds the model; give another"),
        (["--junit={x}"], "--junit would replace {x}, which is an input; give another file"),
        (["--json=a", "--html=./a"], "--html would replace a, which --json writes; give another"),
    ],
)
def test_nothing_that_is_read_or_written_is_replaced(
    options: list[str],
    said: str,
    right: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    x = tmp_path / "x.npy"
    np.save(x, np.zeros((4, 7, 8), np.float32))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    given = [option.format(model=right, x=x) for option in options]
    assert main(["doctor", f"{right}:build", f"--input={x}", *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said.format(model=right, x=x) in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_right_model_is_clean(right: str, capsys: Capture) -> None:
    assert main(["doctor", f"{right}:build", "--input=float[4,7,8]"]) == 0
    assert "Classifier: nothing wrong was found" in capsys.readouterr().out


def test_examples_may_come_with_the_model(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["doctor", "wrong_model:with_examples", "--checks=M01"]) == 1
    assert "M01 error in lstm" in capsys.readouterr().out
    monkeypatch.delitem(sys.modules, "wrong_model")


def test_the_files_hold_the_report(wrong: str, tmp_path: Path, capsys: Capture) -> None:
    paths = {ending: tmp_path / "deep" / f"report.{ending}" for ending in ("json", "html", "junit")}
    options = [f"--{ending}={path}" for ending, path in paths.items()]
    arguments = ["doctor", f"{wrong}:build", "--input=float[4,7,8]", "--checks=M01", *options]
    assert main(arguments) == 1
    assert capsys.readouterr().err == "".join(f"wrote {path}\n" for path in paths.values())
    report = Report.from_json(paths["json"].read_text("utf-8"))
    assert [finding.code for finding in report.findings] == ["M01"]
    assert ElementTree.parse(paths["junit"]).getroot().attrib["failures"] == "1"
    page = paths["html"].read_text("utf-8")
    assert page == report.to_html()
    assert "What output[:, -1] takes" in page


def test_the_catalogue_is_told(capsys: Capture) -> None:
    assert main(["doctor", "--list"]) == 0
    listed = capsys.readouterr().out
    assert [line[:3] for line in listed.splitlines()] == list(MISTAKES)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == listed
    assert main(["doctor", "--explain=m3"]) == 0
    assert capsys.readouterr().out == mistake("M03").text()


def test_the_catalogue_needs_no_pytorch() -> None:
    code = (
        "import sys; from unrolled.cli import main; "
        "assert main(['doctor', '--explain', 'M02']) == 0; assert main(['doctor']) == 0; "
        "assert not {'torch', 'lightning', 'unrolled.nn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


X = "--input=float[4,7,8]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--explain=M31"], "there is no mistake 'M31' (did you mean M30?)"),
        ([X], "MODEL is missing; see unrolled doctor --help"),
        (["FILE:build", "--list"], "--list is in place of MODEL; leave out one of the two"),
        (["FILE:build", "--explain=M01"], "--explain is in place of MODEL"),
        (["FILE:build", X, "--checks=M01,M99"], "there is no mistake 'M99'"),
        (["FILE", X], "names no model; give a file or a module and a name in it"),
        (["nowhere.py:build", X], "nowhere.py: there is no such file; give one that is there"),
        (["nowhere:build", X], "there is no module 'nowhere'; give one that is there"),
        (["FILE:biuld", X], "has no 'biuld' (did you mean 'build'?); give a function"),
        (["FILE:number", X], "gives an object of type int; it should give a torch.nn.Module"),
        (["FILE:waits", X], "gives an object of type coroutine; it should give a torch.nn.Module"),
        (["a\u202eb\x1b.py:build", X], "aU+202EbU+001B.py: there is no such file"),
        (["FILE:broken", X], "RuntimeError: no weights here; it is called without arguments"),
        (["FILE:needy", X], "missing 1 required positional argument: 'size'"),
        (["FILE:build"], "could not be looked at: no example inputs were given"),
        (["FILE:build", "--input=float[4,7,9]"], "could not be looked at: the model raised"),
        (["FILE:build", "--input=flaot[4]"], "--input 'flaot[4]' describes no input; give float"),
        (["FILE:build", "--input=float[]"], "describes no input"),
        (["FILE:build", "--input=float[4,,7]"], "has no sizes that can be read"),
        (["FILE:build", "--input=float[4,0]"], "each number in brackets must be 1 or more"),
        (["FILE:build", "--input=ids[4,7]"], "ids need a bound, such as ids[4,7]<100"),
        (["FILE:build", "--input=ids[4,7]<1"], "the bound of ids must be 2 or more"),
        (["FILE:build", "--input=float[4]<9"], "only ids have a bound"),
        (["FILE:build", "--input=float[99999999,99999999]"], "is too large to be made here"),
        (["FILE:build", "--input=ids[2,2]<99999999999999999999"], "is too large to be made"),
        (["FILE:build", X, "--target=x"], "--input 'x' describes no input"),
        (["FILE:leaves", X], "failed at FILE:"),
        (["FILE:build", "--input=mask"], "needs lengths; give --lengths 7,5,3 too"),
        (["FILE:build", "--input=x=mask", X, "--lengths=7,5"], "stands after one with a name"),
        (["FILE:build", "--input=no.npz"], "no.npz: there is no such file"),
        (
            ["FILE:build", X, "--input=lengths[7,5,3]"],
            "'lengths[7,5,3]' holds 3 numbers, but float[4,7,8] holds 4 samples; give one for each",
        ),
        (
            ["FILE:build", "--input=ids[4,7]<9", "--input=n=lengths[9,5,3,2]"],
            "'n=lengths[9,5,3,2]' holds 9, but the inputs have 7 steps; each length must be from 1",
        ),
        (["FILE:build", X, "--lengths=7,5"], "lengths holds 2 numbers, but the examples hold 4"),
        (["FILE:build", X, "--batch_dim=5"], "batch_dim is 5, but the examples have the shapes"),
        (["FILE:build", X, "--target=float[3]"], "target has the shape (3,), but the model gives"),
        (["FILE:build", X, "--seconds=0"], "expected a number above 0, got '0'"),
        (["FILE:build", X, "--seconds=1e-9"], "the 1e-09 seconds for the whole diagnosis were ov"),
        (["FILE:build", X, "--html=/"], "/ is a directory; give the name of a file"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    arguments: list[str], sentence: str, wrong: str, capsys: Capture
) -> None:
    assert main(["doctor", *(one.replace("FILE", wrong) for one in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence.replace("FILE", wrong) in err
    assert err.startswith("unrolled doctor: ")
    assert err.count("\n") == 1


def test_a_fault_in_the_file_is_told_with_its_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "faulty_model.py"
    path.write_text("import math\n\nmath.no_such_thing\n")
    assert main(["doctor", f"{path}:build", X]) == 2
    assert f"failed at {path}:3: AttributeError: module 'math'" in capsys.readouterr().err


def test_random_inputs_are_the_same_each_time_and_padded_by_the_lengths() -> None:
    specs = [
        read_input(text) for text in ("ids[2,5]<9", "lengths[5,3]", "m=mask", "y=float64[2,3]")
    ]
    (ids, lengths), named = example_inputs(specs, None)
    assert torch.equal(ids, example_inputs(specs, None)[0][0])
    assert lengths.tolist() == [5, 3]
    assert ((ids > 0) & (ids < 9)).tolist() == named["m"].tolist()
    assert named["m"].tolist() == [[True] * 5, [True] * 3 + [False] * 2]
    assert named["y"].dtype == torch.float64
    with pytest.raises(UsageError, match="gives 'y' twice; give it once"):
        example_inputs([specs[3], specs[3]], None)


def test_tensors_come_from_files(tmp_path: Path) -> None:
    x, y = torch.randn(3, 4), torch.arange(3)
    np.save(tmp_path / "x.npy", x.numpy())
    np.savez(tmp_path / "xy.npz", x=x.numpy(), y=y.numpy())
    save_file({"x": x}, tmp_path / "x.safetensors")
    torch.save({"x": x, "y": y}, tmp_path / "xy.pt")

    def read(text: str) -> object:
        return example_inputs([read_input(f"{tmp_path}/{text}")], None)[0][0]

    for text in ("x.npy", "xy.npz[x]", "x.safetensors", "x.safetensors[x]", "xy.pt[x]"):
        found = read(text)
        assert isinstance(found, torch.Tensor)
        assert torch.equal(found, x)
    both = read("xy.pt")
    assert isinstance(both, dict)
    assert set(both) == {"x", "y"}
    with pytest.raises(DataError, match="has no 'z'; it has x, y"):
        read("xy.npz[z]")
    with pytest.raises(DataError, match="holds one thing and no 'z'"):
        read("x.npy[z]")


def test_a_file_of_several_tensors_that_is_given_whole(
    right: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, x=np.zeros((4, 7, 8), np.float32), y=np.zeros(3))
    assert main(["doctor", f"{right}:build", f"--input={path}"]) == 2
    told = capsys.readouterr().err
    assert (
        f"; {path} holds x, y, and a dict of them was given: for one alone give {path}[x]" in told
    )
    assert main(["doctor", f"{right}:build", f"--input={path}[x]", "--checks=M01"]) == 0


@pytest.mark.parametrize(
    "name", ["evil.pt", "evil.npy", "torn.pt", "torn.npy", "torn.npz", "torn.safetensors"]
)
def test_nothing_in_a_file_is_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "evil.pt":
        torch.save({"x": Evil()}, path)
    elif name == "evil.npy":
        np.save(path, np.array([Evil()], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(b"\x00torn")
    with pytest.raises(DataError, match="is damaged, or holds more than plain tensors"):
        example_inputs([read_input(str(path))], None)


class Evil:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a file was run",))


def test_the_json_of_a_clean_model_is_ok(right: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "clean.json"
    assert main(["doctor", f"{right}:build", X, "--checks=M01", f"--json={path}"]) == 0
    assert json.loads(path.read_text("utf-8"))["ok"] is True


def test_json_may_go_to_standard_output(wrong: str, capsys: Capture) -> None:
    assert main(["doctor", f"{wrong}:build", X, "--checks=M01", "--json", "-"]) == 1
    out, err = capsys.readouterr()
    report = Report.from_json(out)
    assert [finding.code for finding in report.findings] == ["M01"]
    assert err == report.text()


@pytest.mark.filterwarnings("error")
def test_a_coroutine_is_closed(wrong: str, capsys: Capture) -> None:
    assert main(["doctor", f"{wrong}:waits", X]) == 2
    gc.collect()
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "inputs",
    [
        ["float[7,4,8]", "lengths[7,5,3,2]"],
        ["float[4,7,8]", "y=float[4,9,8]", "y_lengths=lengths[9,5,3,2]"],
        ["ids[4,3,9]<5", "lengths[9,8,2]"],
        ["float[3,8]", "lengths[9,1,2]"],
    ],
    ids=["time first", "of the second", "of words", "no steps"],
)
def test_lengths_that_may_fit_are_taken(inputs: list[str]) -> None:
    by_place, by_name = example_inputs([read_input(text) for text in inputs], None)
    assert len(by_place) + len(by_name) == len(inputs)
