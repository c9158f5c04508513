"""What attention read: one weight for each target symbol and each source symbol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttentionPart:
    """Attention weights of one prediction.

    Attributes:
        name: the text that was read.
        source: the source symbols, one for each column.
        target: the predicted symbols, one for each row.
        weights: a row for each target symbol; each row is a distribution over the source.
    """

    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.target):
            raise ValueError(
                f"weights has {len(self.weights)} rows and there are {len(self.target)} target "
                f"symbols; give one row for each target symbol."
            )
        for row in self.weights:
            if len(row) != len(self.source):
                raise ValueError(
                    f"a row of weights has {len(row)} entries and there are {len(self.source)} "
                    f"source symbols; give one weight for each source symbol."
                )
            if not all(0.0 <= weight <= 1.0 for weight in row):
                raise ValueError(
                    f"attention weights lie between 0 and 1; got {min(row)} to {max(row)}."
                )
