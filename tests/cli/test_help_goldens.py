"""The help texts, golden, and what must be true of each so that a poor one can't become golden."""

from pathlib import Path

import pytest
from help_texts import NAMES, help_text

GOLDENS = Path(__file__).with_name("goldens")


@pytest.mark.parametrize("name", NAMES)
def test_the_help_is_the_golden_one(name: str) -> None:
    assert help_text(name) == (GOLDENS / f"{name}.txt").read_text("utf-8"), (
        "the help changed; if it is meant to, run python tests/cli/write_help_goldens.py "
        "and look at the diff"
    )


def test_there_is_no_golden_of_nothing() -> None:
    assert {path.stem for path in GOLDENS.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_is_for_people(name: str) -> None:
    text = (GOLDENS / f"{name}.txt").read_text("utf-8")
    assert max(map(len, text.splitlines())) <= 80
    for noise in ("type:", "<function", "<class", "null", "None", "Union", "%"):
        assert noise not in text
    if name != "unrolled":
        assert "examples:" in text
