"""``unrolled explain``: the run of a model as text, page, picture and JSON."""

import json
import re
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
