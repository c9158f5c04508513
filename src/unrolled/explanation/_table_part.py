"""Plain facts beside the pictures: measured scores, and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScorePart:
    """Measured figures by name, as they shall be printed."""

    scores: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TablePart:
    """A titled table of text.

    Raises:
        ValueError: a row with more or fewer fields than there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for place, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {place} of the table {self.title!r} has {len(row)} fields; "
                    f"expected {len(self.columns)}: {', '.join(self.columns)}."
                )


def score_part(scores: Mapping[str, float | int | str]) -> ScorePart:
    """Scores as they shall be printed: text as it is, counts whole, others with two decimals."""

    def printed(value: float | str) -> str:
        if isinstance(value, str):
            return value
        return f"{value:,d}" if isinstance(value, int) else f"{value:.2f}"

    return ScorePart(tuple((name, printed(value)) for name, value in scores.items()))
