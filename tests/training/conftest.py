"""A tiny task that a tiny model learns, and a fit of it."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unrolled.seq2seq import FitResult, fit

SMALL: dict[str, Any] = {
    "target_symbols": "separator",
    "embedding_size": 8,
    "encoder_hidden_size": 8,
    "decoder_hidden_size": 8,
    "dropout": 0.2,
    "learning_rate": 0.01,
    "warmup_steps": 5,
    "tokens_per_batch": 128,
    "accelerator": "cpu",
    "devices": 1,
}

Fit = Callable[..., FitResult]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.tsv and dev.tsv: small letters to capitals."""
    folder = tmp_path_factory.mktemp("pairs")
    chance = random.Random(1)
    words = ["".join(chance.choices("abcde", k=chance.randint(1, 5))) for _ in range(200)]
    lines = [f"{word}\t{' '.join(word.upper())}\n" for word in words]
    (folder / "train.tsv").write_text("".join(lines), "utf-8")
    (folder / "dev.tsv").write_text("".join(lines[:20]), "utf-8")
    return folder


@pytest.fixture
def small_fit(pairs: Path, tmp_path: Path) -> Fit:
    """Fit a tiny model on the pairs into `tmp_path / "model"`; any setting can be given."""

    def run(**settings: Any) -> FitResult:
        chosen = {**SMALL, "output": tmp_path / "model", "max_epochs": 2, **settings}
        return fit(pairs / "train.tsv", pairs / "dev.tsv", **chosen)

    return run
