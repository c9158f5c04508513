"""Rows of different lengths, one after the other in one array."""

from typing import Any

import numpy as np

Array = np.ndarray[tuple[int], np.dtype[Any]]
Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

_BLOCK = 1 << 20  # rows


class Ragged:
    """Rows of different lengths, one after the other in one array.

    Args:
        values: the numbers of all rows.
        offsets: where each row begins in `values`, and where the last one ends.
    """

    def __init__(self, values: Array, offsets: Array) -> None:
        self.values = values
        self.offsets = offsets

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Array:
        """One row.

        Args:
            row: from 0 to `len(self) - 1`; negative rows count from the end.
        """
        rows = len(self)
        if not -rows <= row < rows:
            raise IndexError(f"row is {row}; there are {rows}.")
        start, end = self.offsets[row % rows : row % rows + 2].tolist()
        row_values: Array = self.values[start:end]
        return row_values

    def lengths(self, rows: Array) -> Integers:
        """The lengths of some rows.

        Args:
            rows: which ones.
        """
        rows = rows.astype(np.int64)  # so that the row after the last can be told, too
        lengths: Integers = np.subtract(self.offsets[rows + 1], self.offsets[rows], dtype=np.int64)
        return lengths

    def all_lengths(self) -> Array:
        """The lengths of all rows, as int32."""
        lengths = np.empty(len(self), np.int32)
        for start in range(0, len(self), _BLOCK):  # a copy of all offsets at once would be large
            end = min(start + _BLOCK, len(self))
            lengths[start:end] = np.diff(self.offsets[start : end + 1])
        return lengths

    def fill(self, table: np.ndarray[tuple[int, int], np.dtype[np.int64]], rows: Array) -> None:
        """Write some rows into a table, each from its left edge; the rest is left as it is.

        Args:
            table: a row for each of `rows`, at least as wide as the longest.
            rows: which ones.
        """
        lengths = self.lengths(rows)
        before = np.cumsum(lengths) - lengths
        steps = np.arange(int(lengths.sum())) - np.repeat(before, lengths)
        places = np.repeat(self.offsets[rows].astype(np.int64), lengths) + steps
        table[np.repeat(np.arange(len(rows)), lengths), steps] = self.values[places]
