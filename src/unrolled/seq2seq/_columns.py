"""Which columns of a TSV hold the source and the target."""

from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from ..errors import DataError


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a TSV hold the source and the target.

    Attributes:
        source: number of the column, 1 first, or its name in the header line.
        target: likewise.
        delimiter: what stands between columns.
        header: whether the first line names the columns; by default where a column is a name.

    Raises:
        DataError: the columns cannot be so, in any file.
    """

    source: int | str = 1
    target: int | str = 2
    delimiter: str = "\t"
    header: bool | None = None

    def __post_init__(self) -> None:
        for side, column in (("source", self.source), ("target", self.target)):
            is_number = (
                isinstance(column, Integral) and not isinstance(column, bool) and column >= 1
            )
            if not is_number and not isinstance(column, str):
                raise DataError(
                    f"the {side} column is {column!r}; give its number, counted from 1, or its "
                    "name in the header line."
                )
            if self.header is False and isinstance(column, str):
                raise DataError(
                    f"the {side} column is the name {column!r}, but the file is said to have no "
                    "header line; give the number of the column or say that there is a header."
                )
        if not self.delimiter:
            raise DataError("the delimiter of the columns is empty; the usual one is a tab.")

    @property
    def has_header(self) -> bool:
        """Whether the first line names the columns."""
        if self.header is not None:
            return self.header
        return isinstance(self.source, str) or isinstance(self.target, str)

    def places(self, path: Path, first_line: str) -> tuple[int, int]:
        """Where source and target stand among the fields of a line, 0 first.

        Args:
            path: the file, for messages.
            first_line: its first line, which names the columns where there is a header.

        Raises:
            DataError: a column is asked for by a name that is not there, or there twice.
        """
        names = first_line.split(self.delimiter)
        return _place(path, "source", self.source, names), _place(
            path, "target", self.target, names
        )


def _place(path: Path, side: str, column: int | str, names: list[str]) -> int:
    if not isinstance(column, str):
        return int(column) - 1
    if names.count(column) == 1:
        return names.index(column)
    shown = ", ".join(repr(name) for name in names)
    if column in names:
        raise DataError(
            f"{path}:1: the {side} column {column!r} is there {names.count(column)} times; give "
            f"its number. The header line has {shown}."
        )
    raise DataError(
        f"{path}:1: there is no column named {column!r} for the {side}; the header line has "
        f"{shown}. Choose one of these or give a number."
    )
