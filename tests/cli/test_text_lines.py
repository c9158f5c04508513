"""Reading what is to be predicted: every line once, in order, and never later than needed."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cli._text_lines import Line, gather, read_lines
from unrolled.errors import DataError


def test_lines_are_numbered_and_lose_their_endings_only(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffone\r\n\n two \nthré\u2028e".encode())
    assert list(read_lines(str(path))) == [(1, "one"), (2, ""), (3, " two "), (4, "thré\u2028e")]


def test_a_gz_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "words.txt.gz"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    assert list(read_lines(str(path))) == [(1, "a"), (2, "b")]


def test_a_file_that_is_no_gz_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.gz"
    path.write_bytes(b"plain words\n")
    with pytest.raises(DataError, match=r"words\.gz: Not a gzip.*; unpack it"):
        list(read_lines(str(path)))


def test_invalid_utf8_is_named_by_file_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"fine\ncaf\xe9\n")
    lines = read_lines(str(path))
    assert next(lines) == (1, "fine")
    with pytest.raises(DataError, match=r"words\.txt:2: byte 4 is not valid UTF-8; .*iconv"):
        next(lines)


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
