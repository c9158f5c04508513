"""``unrolled explain``: the run of a model as text, page, picture and JSON."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled.cli import main
from unrolled.explanation import Report

Capture = pytest.CaptureFixture[str]


def test_text_is_printed_for_each_text(model: Path, capsys: Capture) -> None:
    assert main(["explain", str(model), "bad", "cab"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("bad", "cab", "B A D", "C A B", "output", "hidden_state"):
        assert words in out


def test_the_page_needs_nothing_but_itself_and_holds_the_evaluation(
    model: Path, pairs: Path, tmp_path: Path, capsys: Capture
) -> None:
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("ace\tX X X\n")
    scores, page = tmp_path / "scores.json", tmp_path / "deep" / "report.html"
    assert main(["evaluate", str(model), str(wrong), f"--save={scores}"]) == 0
    capsys.readouterr()
    options = [f"--html={page}", f"--evaluation={scores}"]
    assert main(["explain", str(model), "bad", "cab", *options]) == 0
    assert capsys.readouterr() == ("", f"wrote {page}\n")
    html = page.read_text("utf-8")
    assert html.count("<svg") >= 2
    assert not re.search(r"""(src|href)=["'](https?:)?//""", html)
    for words in ("WER", "100.00", "Some mistakes", "X X X", "The run of"):
        assert words in html


def test_the_picture_is_svg_of_one_text(model: Path, tmp_path: Path, capsys: Capture) -> None:
    picture = tmp_path / "run.svg"
    assert main(["explain", str(model), "bad", f"--svg={picture}"]) == 0
    assert picture.read_text("utf-8").startswith("<svg")
    assert main(["explain", str(model), "bad", "cab", f"--svg={picture}"]) == 2
    assert "--svg draws one text, got 2" in capsys.readouterr().err


def test_json_is_the_report(model: Path, capsys: Capture) -> None:
    assert main(["explain", str(model), "bad", "cab", "--json"]) == 0
    reports = [Report.from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [report.grid("encoder").steps for report in reports] == [3, 3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "is not what unrolled evaluate --save writes"),
        (json.dumps({"word_error_rate": 1}), "KeyError: 'symbol_error_rate'"),
        (json.dumps([1]), "TypeError"),
    ],
)
def test_an_evaluation_that_is_none_is_refused(
    content: str, sentence: str, model: Path, tmp_path: Path, capsys: Capture
) -> None:
    scores, page = tmp_path / "scores.json", tmp_path / "report.html"
    scores.write_text(content)
    options = [f"--html={page}", f"--evaluation={scores}"]
    assert main(["explain", str(model), "bad", *options]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert not page.exists()


def test_an_evaluation_without_a_page_and_a_text_too_long_are_refused(
    model: Path, capsys: Capture
) -> None:
    assert main(["explain", str(model), "bad", "--evaluation=x.json"]) == 2
    assert "--evaluation goes into a page; give --html FILE too" in capsys.readouterr().err
    assert main(["explain", str(model), "a" * 1000]) == 2
    assert "1000 symbols" in capsys.readouterr().err
    assert main(["explain", str(model)]) == 2
    assert "unrolled explain: TEXT is missing; see unrolled explain" in capsys.readouterr().err


STACK = ["explain", "--cell=lstm", "--layers=2", "--bidirectional", "--steps=5", "--lengths=5,3"]


def test_a_selection_is_told_marked_and_warned_of(capsys: Capture) -> None:
    assert main([*STACK, "--select=output[:, -1]"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in (
        "  layer 1  ○   ○   ○   ○  [◉]",
        "output[:, -1] of torch.nn.LSTM, shape 2 × 256",
        "  h[layer=1, reverse, step=4]",
        "Read with batch_first=True",
        "Warning: the reverse direction begins at the last step",
        "Warning: of sample 1 only padding is taken (0)",
    ):
        assert words in out


def test_without_a_selection_the_tensors_are_told(capsys: Capture) -> None:
    assert main([*STACK, "--framework=onnx"]) == 0
    out = capsys.readouterr().out
    assert "What the ONNX operator LSTM returns" in out
    assert "[0, :, :]" in out


def test_a_selection_as_picture_page_and_json(tmp_path: Path, capsys: Capture) -> None:
    picture, page = tmp_path / "a.svg", tmp_path / "a.html"
    options = ["--select=h_n[-1]", f"--svg={picture}", f"--html={page}", "--json"]
    assert main([*STACK, *options]) == 0
    out, err = capsys.readouterr()
    assert err == f"wrote {page}\nwrote {picture}\n"
    assert "ring" in picture.read_text("utf-8")
    assert "this is the reverse direction alone" in page.read_text("utf-8")
    document = json.loads(out)
    found = next(part for part in document["parts"] if part["part"] == "selection")
    assert found["says"][0].startswith("all of it: h[layer=1, reverse, step=0]")
    assert Report.from_json(out).selection.sizes == (2, 128)


def test_a_receptive_field_is_marked_and_told(capsys: Capture) -> None:
    options = ["--field=h[layer=0, reverse, step=4]", "--select=output[:, -1]"]
    assert main([*STACK, *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in (
        "  layer 0 h  ●   ·   ·   ·  (·)",
        "( ) receptive field",
        "h[layer=0, reverse, step=4] has read 1 of 5 symbols: step 4; it was computed from one",
        "h[layer=0, reverse, step=4] is not here: step 4 is padding, no state is computed.",
    ):
        assert words in out


def test_the_values_of_a_run_are_told(model: Path, capsys: Capture) -> None:
    assert main(["explain", str(model), "bad", "--values=forget_gate"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("The value of a state is the mean of its forget gate over the units") == 2
    assert re.search(r"^  layer 0 forward  0\.\d{3}  0\.\d{3}  0\.\d{3}$", out, flags=re.M)
    assert main(["explain", str(model), "bad", "--values=norm", "--json"]) == 0
    report = Report.from_json(capsys.readouterr().out)
    assert [report.grid(name).values for name in ("encoder", "decoder")] == ["norm", "norm"]


def test_the_field_of_a_state_of_a_run_is_marked(
    model: Path, tmp_path: Path, capsys: Capture
) -> None:
    options = ["--field=decoder h[layer=0, forward, step=1]", f"--html={tmp_path / 'a.html'}"]
    assert main(["explain", str(model), "bad", *options, "--json"]) == 0
    report = Report.from_json(capsys.readouterr().out)
    assert str(report.grid("decoder").chosen) == "h[layer=0, forward, step=1]"
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "decoder h[layer=0, forward, step=1] was computed from all of these states" in page


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--values=update_gate"], "values is 'update_gate', a gate of gru, and this run is of ls"),
        (
            ["--values="],
            "values is ''; a run of lstm has norm, input_gate, forget_gate, output_gate",
        ),
        (["--field=h[layer=0, forward, step=1]"], "does not say whose it is; write encoder or dec"),
        (["--field=encoder h[layer=7, forward, step=1]"], "of the encoder, there is no state h[la"),
        (["--html=/proc/a/b"], "/proc/a/b cannot be written"),
    ],
)
def test_a_run_has_not_everything(
    options: list[str], sentence: str, model: Path, capsys: Capture
) -> None:
    assert main(["explain", str(model), "bad", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_options_stand_in_a_file_too(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text("cell: gru\nlengths: [4, 2]\nselect: output[0]\n")
    assert main(["explain", f"--config={file}"]) == 0
    assert "output[0] of torch.nn.GRU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "--cell is missing; give one of rnn_tanh, rnn_relu, gru, lstm"),
        (["--cell=gru"], "--steps is missing; give how many steps the input has"),
        (["--cell=ltsm"], "--cell: expected one of rnn_tanh, rnn_relu, gru, lstm, got 'ltsm'"),
        (["--cell=gru", "--lengths=5,x"], "--lengths: expected whole numbers of at least 1"),
        (["--cell=gru", "--steps=3", "--lengths=5"], "the length of sample 0 is 5"),
        (["--cell=gru", "--steps=3", "--proj_size=2"], "only an LSTM projects its hidden state"),
        (["--cell=gru", "--steps=3", "--batch_first", "--time_first"], "contradict each other"),
        (["--cell=gru", "--steps=3", "--time_first", "--framework=flax"], "always has the batch"),
        (["--cell=gru", "--steps=3", "--select=outptu"], "column 1 of 'outptu': there is no"),
        (["--cell=gru", "--steps=3", "--evaluation=x"], "--evaluation is of a model; give MODEL"),
        (["--cell=gru", "--steps=3", "--field=h"], "'h' is not a state address; write it like"),
        (
            ["--cell=gru", "--steps=3", f"--field=h[layer={'9' * 5000}, forward, step=0]"],
            "the state address has 5026 characters; write one like 'h[layer=1, reverse, step=0]'",
        ),
        (
            ["--cell=gru", "--steps=5", "--lengths=3,2", "--field=h[layer=0, forward, step=3]"],
            "step 3 is padding in every sample; the last real step is 2",
        ),
        (["--cell=gru", "--steps=3", "--values=norm"], "--values are of a run, and a stack that"),
        (
            ["--cell=gru", "--steps=3", "--html="],
            "--html names no file; give one, such as --html r",
        ),
        (["--cell=gru", "--steps=3", "--svg=a\0"], "--svg has a character that no name of a file"),
        (["--cell=gru", "--steps=3", "--svg=/proc/a/b"], "/proc/a/b cannot be written"),
        (["--cell=gru", "--steps=3", "--html=/"], "/ is a directory; give the name of a file"),
        (["--cell=gru", "--steps=3", "--batch=2000000000"], "output would need 768,000,000,000"),
        (["--cell=gru", "--steps=0"], "--steps: expected a whole number of at least 1, got '0'"),
        (["--cell=gru", "--lengths=0,3"], "--lengths: expected whole numbers of at least 1"),
        (
            ["--cell=gru", "--steps=3", "--select=output[-9]"],
            "index -9 is out of range: axis 0 has",
        ),
        (["--cell=gru", "--steps=3", "--select=open('x')"], "there is no function 'open'"),
        (["model", "text", "--cell=gru"], "--cell describes a stack in place of a model"),
    ],
)
def test_a_stack_that_can_not_be(options: list[str], sentence: str, capsys: Capture) -> None:
    assert main(["explain", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_the_documentation_shows_what_is_printed(capsys: Capture) -> None:
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text("utf-8")
    shown = re.findall(r"^```bash\n([^`]*)^```\n\n```text\n([^`]*)^```", page, flags=re.M)
    assert shown
    for line, printed in shown:
        _, *arguments = shlex.split(line.replace("\\\n", " "))
        assert main(arguments) == 0
        assert capsys.readouterr().out.strip() == printed.strip()


def test_a_selection_needs_no_pytorch() -> None:
    code = (
        "import sys; from unrolled.cli import main; "
        f"assert main({[*STACK, '--select=output[:, -1]', '--json']!r}) == 0; "
        "assert not {'torch', 'lightning', 'unrolled.nn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
