"""``unrolled evaluate``: scores of free decoding, for people and for programs."""

import json
from pathlib import Path

import pytest

from unrolled.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def test_tsv(tmp_path: Path) -> Path:
    """Three sources: right, right by its second reference, and wrong by one symbol of three."""
    path = tmp_path / "test.tsv"
    path.write_text("bad\tB A D\ncab\tX\ncab\tC A B\nace\tA C X\n")
    return path


def test_the_scores_are_those_of_the_nearest_references(
    model: Path, test_tsv: Path, capsys: Capture
) -> None:
    assert main(["evaluate", str(model), str(test_tsv)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"{model} on {test_tsv}, decoded freely and greedily" in out
    assert "WER   33.33 %   1 of 3 sources wrong" in out
    assert "PER   11.11 %   1 edits in 9 symbols" in out
    assert "  ace: A C E, A C X\n" in out


def test_json_holds_all_of_it_and_is_saved_alike(
    model: Path, test_tsv: Path, tmp_path: Path, capsys: Capture
) -> None:
    saved = tmp_path / "scores" / "test.json"
    options = ["--json", "--beam_size=3", f"--save={saved}"]
    assert main(["evaluate", str(model), str(test_tsv), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(saved.read_text())
    assert found["word_error_rate"] == pytest.approx(100 / 3)
    assert (found["sources"], found["wrong"], found["edits"]) == (3, 1, 1)
    assert (found["beam_size"], found["data"]) == (3, str(test_tsv))
    assert found["mistakes"] == [{"source": "ace", "predicted": "A C E", "references": ["A C X"]}]


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("", [], "test.tsv is empty"),
        ("bad\n", [], "test.tsv:1: "),
        ("bad\tB A D\n", ["--target_column=9"], "test.tsv:1: "),
        ("bad\t\n", [], "test.tsv:1: the target is empty"),
    ],
)
def test_bad_data_is_one_sentence(
    content: str, options: list[str], sentence: str, model: Path, test_tsv: Path, capsys: Capture
) -> None:
    test_tsv.write_text(content)
    assert main(["evaluate", str(model), str(test_tsv), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
