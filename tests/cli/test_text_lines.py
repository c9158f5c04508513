"""Reading what is to be predicted: every line once, in order, and never later than needed."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cli._text_lines import Line, gather
from unrolled.errors import DataError


@given(st.lists(st.text(), max_size=50), st.integers(1, 8))
def test_groups_hold_every_line_once_and_in_order(texts: list[str], size: int) -> None:
    lines = list(enumerate(texts, start=1))
    groups = list(gather(iter(lines), size))
    assert [line for group in groups for line in group] == lines
    assert all(1 <= len(group) <= size for group in groups)


def test_a_line_is_given_out_before_the_next_one_comes() -> None:
    answered = threading.Event()

    def conversation() -> Iterator[Line]:
        yield 1, "first"
        assert answered.wait(timeout=30), "the first line was held back"
        yield 2, "second"

    groups = gather(conversation(), size=100)
    assert next(groups) == [(1, "first")]
    answered.set()
    assert next(groups) == [(2, "second")]
    assert list(groups) == []


def test_a_fault_comes_after_the_lines_before_it() -> None:
    def broken() -> Iterator[Line]:
        yield 1, "first"
        raise DataError("broken at 2")

    groups = gather(broken(), size=100)
    assert next(groups) == [(1, "first")]
    with pytest.raises(DataError, match="broken at 2"):
        next(groups)
