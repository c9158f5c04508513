"""What a model said about one text: its best guesses in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guess:
    """One predicted text and the score it was ranked by (larger is better)."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class PredictionPart:
    """The guesses for one source text, best first, and its symbols that training never saw."""

    source: str
    guesses: tuple[Guess, ...]
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.guesses:
            raise ValueError("guesses is empty; a prediction has at least one guess.")
