"""The thirty mistakes: the wrong code is wrong, the right code right, and the pages are theirs."""

import doctest
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from catalogue_claims import CLAIMS, Names

import unrolled.doctor._catalogue
from unrolled.doctor import MISTAKES, mistake
from unrolled.doctor._finding import SEVERITIES
from unrolled.doctor._mistake import mended
from unrolled.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs"
PAGES = runpy.run_path(str(DOCS / "assets" / "write_doctor_pages.py"))
FILES = PAGES["files"]()
READ = [code for code, one in MISTAKES.items() if one.reading]


def ran(code: str, text: str) -> Names:
    torch.manual_seed(0)
    names: Names = {"__name__": code}
    exec(compile(text, code, "exec"), names)
    return names


def test_there_are_thirty_in_order() -> None:
    assert list(MISTAKES) == [f"M{number:02d}" for number in range(1, 31)]
    assert set(CLAIMS) == set(MISTAKES)
    assert len({one.title for one in MISTAKES.values()}) == 30
    for one in MISTAKES.values():
        assert one.severity in SEVERITIES
        assert len(one.title) <= 80
        assert one.probes
        for sentence in (one.wrong, one.trains, one.seen):
            assert sentence.endswith(".")
            assert "  " not in sentence
        assert one.wrong_code != one.right_code


@pytest.mark.parametrize("code", MISTAKES)
def test_the_wrong_code_runs_and_is_wrong(code: str) -> None:
    assert not CLAIMS[code](ran(code, MISTAKES[code].wrong_code))


@pytest.mark.parametrize("code", MISTAKES)
def test_the_right_code_runs_and_is_right(code: str) -> None:
    assert CLAIMS[code](ran(code, MISTAKES[code].right_code))


@pytest.mark.parametrize("code", READ)
def test_what_the_wrong_code_reads_is_not_what_the_right_code_reads(code: str) -> None:
    reading = MISTAKES[code].reading
    assert reading is not None
    wrong, right = reading.wrong().selection, reading.right()
    if right is not None:
        assert right.selection.warnings == ()
        assert right.selection.pieces != wrong.pieces
    # M12 and M16 take states that may be meant elsewhere; M14 takes all of them, out of place.
    assert bool(wrong.warnings) == (code not in ("M12", "M14", "M16"))


def test_the_text_has_all_of_it() -> None:
    for one in MISTAKES.values():
        text = str(one)
        squeezed = " ".join(text.split())
        for words in (one.code, one.title, one.wrong, one.trains, one.seen):
            assert words in squeezed
        for line in (*one.wrong_code.splitlines(), *one.right_code.splitlines()):
            assert f"  {line}" in text
        assert max(map(len, text.splitlines())) <= 102


@pytest.mark.parametrize("name", FILES)
def test_pages_and_pictures_are_committed_as_written(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == FILES[name], (
        "run: python docs/assets/write_doctor_pages.py"
    )


def test_no_page_or_picture_is_left_over() -> None:
    there = [*(DOCS / "doctor").iterdir(), *(DOCS / "assets" / "doctor").iterdir()]
    assert {str(path.relative_to(DOCS)) for path in there} == set(FILES)


def test_the_table_of_the_page_lists_them() -> None:
    assert PAGES["table"]() in (DOCS / "doctor.md").read_text("utf-8")


@pytest.mark.parametrize(("given", "code"), [("M03", "M03"), ("m3", "M03"), ("30", "M30")])
def test_a_code_is_found(given: str, code: str) -> None:
    assert mistake(given) is MISTAKES[code]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("M31", "there is no mistake 'M31' (did you mean M30?); the codes are M01 to M30"),
        ("M003", "there is no mistake 'M003' (did you mean M03?); the codes are M01 to M30"),
        ("view", "there is no mistake 'view'; the codes are M01 to M30"),
        ("", "there is no mistake ''; the codes are M01 to M30"),
        ("²", "there is no mistake '²'; the codes are M01 to M30"),
    ],
)
def test_an_unknown_code_is_refused(given: str, sentence: str) -> None:
    with pytest.raises(UsageError) as failure:
        mistake(given)
    assert str(failure.value) == sentence


def test_a_change_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'b' stands 2 times in the code, not once\."):
        mended("abba", {"b": "c"})


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(unrolled.doctor._catalogue).failed == 0


def test_the_catalogue_needs_no_pytorch() -> None:
    code = (
        "import sys; from unrolled.doctor import MISTAKES; "
        "assert all(map(str, MISTAKES.values())); "
        "assert not {'torch', 'lightning', 'unrolled.nn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
