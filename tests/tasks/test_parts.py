"""The split: by source, deterministic, in proportion, and written whole."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.tasks import Parts, part_of, split_by_source, write_parts

SHARES = {"dev_share": 0.02, "test_share": 0.05, "salt": "a salt"}

FIXED: dict[str, str] = {
    "'cause": "train",
    "'frisco": "train",
    "'round": "train",
    "aaberg": "train",
    "abbottstown": "dev",
    "abella": "dev",
    "aboard": "dev",
    "absorbency": "dev",
    "'course": "test",
    "abacha": "test",
    "abashed": "test",
    "abbate": "test",
}


def test_the_part_of_a_word_never_changes() -> None:
    # Fixed for good: a word that moved would leak what it was trained on into the next test.
    salt = "unrolled g2p 1"
    parts = {w: part_of(w, dev_share=0.02, test_share=0.05, salt=salt) for w in FIXED}
    assert parts == FIXED


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=40))
def test_every_pair_is_in_one_part_and_no_source_in_two(references: dict[str, list[str]]) -> None:
    parts = split_by_source(references, **SHARES)
    sources = [{source for source, _ in pairs} for pairs in parts.values()]
    assert set().union(*sources) == set(references)
    assert sum(map(len, sources)) == len(references)
    pairs = [pair for part in parts.values() for pair in part]
    wanted = [(source, target) for source, targets in references.items() for target in targets]
    assert sorted(pairs) == sorted(wanted)


def test_the_shares_come_out() -> None:
    parts = split_by_source({str(n): ["x"] for n in range(20_000)}, **SHARES)
    assert len(parts["dev"]) / 20_000 == pytest.approx(0.02, abs=0.004)
    assert len(parts["test"]) / 20_000 == pytest.approx(0.05, abs=0.006)


def test_a_source_stays_where_it_is_when_the_data_grows() -> None:
    few = split_by_source({str(n): ["x"] for n in range(500)}, **SHARES)
    many = split_by_source({str(n): ["x"] for n in range(2_000)}, **SHARES)
    assert all(set(few[name]) <= set(many[name]) for name in few)


def test_another_salt_is_another_split() -> None:
    words = {str(n): ["x"] for n in range(1_000)}
    one = split_by_source(words, dev_share=0.1, test_share=0.1, salt="one")
    two = split_by_source(words, dev_share=0.1, test_share=0.1, salt="two")
    assert one["test"] != two["test"]


@pytest.mark.parametrize(("dev", "test"), [(0.5, 0.5), (-0.1, 0.2), (0.1, -0.2)])
def test_shares_that_leave_nothing_are_refused(dev: float, test: float) -> None:
    with pytest.raises(ValueError, match="leave nothing for train; give two fractions"):
        part_of("a", dev_share=dev, test_share=test, salt="")


def _write(folder: Path) -> Parts:
    pairs = {"train": [("a", "x y"), ("a", "x")], "dev": [("b", "y")], "test": [("c", "é")]}
    return write_parts(folder, pairs, about="# words\n")  # type: ignore[arg-type]


def test_parts_are_utf8_tsvs_beside_a_readme_that_counts(tmp_path: Path) -> None:
    parts = _write(tmp_path / "deep" / "data")
    assert parts.train.read_bytes() == b"a\tx y\na\tx\n"
    assert parts.test.read_bytes() == "c\té\n".encode()
    readme = (parts.train.parent / "README.md").read_text()
    assert "| train.tsv | 1 | 2 |" in readme
    assert {path.name for path in parts.train.parent.iterdir()} == {
        "README.md",
        "dev.tsv",
        "test.tsv",
        "train.tsv",
    }


def test_a_file_that_is_right_is_left_alone_and_a_wrong_one_is_mended(tmp_path: Path) -> None:
    parts = _write(tmp_path)
    os.utime(parts.dev, (1, 1))
    parts.train.write_text("cut sho")
    assert _write(tmp_path) == parts
    assert parts.dev.stat().st_mtime == 1
    assert parts.train.read_bytes() == b"a\tx y\na\tx\n"
