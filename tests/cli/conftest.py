"""A tiny task, and a model trained on it once for all tests of the commands."""

import random
from pathlib import Path

import pytest

from unrolled.cli import main

SMALL = (
    "--target_symbols=separator",
    "--embedding_size=16",
    "--encoder_hidden_size=32",
    "--decoder_hidden_size=32",
    "--dropout=0",
    "--learning_rate=0.01",
    "--warmup_steps=5",
    "--tokens_per_batch=256",
    "--accelerator=cpu",
    "--devices=1",
)


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.tsv and dev.tsv: small letters to capitals, which a tiny model learns."""
    folder = tmp_path_factory.mktemp("pairs")
    chance = random.Random(1)
    words = ["".join(chance.choices("abcde", k=chance.randint(1, 5))) for _ in range(400)]
    lines = [f"{word}\t{' '.join(word.upper())}\n" for word in words]
    (folder / "train.tsv").write_text("".join(lines))
    (folder / "dev.tsv").write_text("".join(lines[:40]))
    return folder


@pytest.fixture(scope="session")
def model(pairs: Path) -> Path:
    """The directory of a model trained on the pairs; do not write into it."""
    directory = pairs / "model"
    data = (f"--train={pairs / 'train.tsv'}", f"--dev={pairs / 'dev.tsv'}")
    assert main(["fit", *data, *SMALL, "--max_epochs=12", f"--output={directory}"]) == 0
    return directory


@pytest.fixture
def few(pairs: Path) -> list[str]:
    """Options of a fit on the pairs that is over after an epoch."""
    data = [f"--train={pairs / 'train.tsv'}", f"--dev={pairs / 'dev.tsv'}"]
    return [*data, *SMALL, "--max_epochs=1"]
