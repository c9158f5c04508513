"""Several right answers for one source."""

import pytest

from unrolled.errors import DataError
from unrolled.seq2seq import Columns, References, read_references


def test_a_source_on_several_lines_has_several_references_in_their_order(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("b\tB 2\na\tA\nb\tB 1\nb\tB 2\n", "utf-8")
    references = read_references(path)
    assert list(references) == ["b", "a"]
    assert references["b"] == ("B 2", "B 1")
    assert references["a"] == ("A",)
    assert len(references) == 2
    assert dict(references) == {"b": ("B 2", "B 1"), "a": ("A",)}
    assert repr(references) == "References(2 sources, 3 targets)"


def test_columns_are_those_of_pairs(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("form\tlemma\nwent\tgo\ngone\tgo\n", "utf-8")
    assert read_references(path, Columns("lemma", "form"))["go"] == ("went", "gone")


def test_plain_pairs_will_do():
    assert References([("a", "1"), ("a", "2")])["a"] == ("1", "2")


def test_a_fault_is_told_as_of_pairs(tmp_path):
    path = tmp_path / "dev.tsv"
    path.write_text("a\n", "utf-8")
    with pytest.raises(DataError, match=r"dev\.tsv:1: there is no tab"):
        read_references(path)
