"""Reading pairs of strings from TSV files, line by line."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from ..errors import DataError

_LONGEST_LINE = 1_000_000  # bytes; a guard against files that are no text at all


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a TSV hold the source and the target.

    Attributes:
        source: number of the column, 1 first, or its name in the header line.
        target: likewise.
        delimiter: what stands between columns.
        header: whether the first line names the columns; by default where a column is a name.
    """

    source: int | str = 1
    target: int | str = 2
    delimiter: str = "\t"
    header: bool | None = None

    def __post_init__(self) -> None:
        for name, column in (("source", self.source), ("target", self.target)):
            if isinstance(column, int) and column < 1:
                raise DataError(f"{name} column is {column}; columns are counted from 1.")

    @property
    def has_header(self) -> bool:
        """Whether the first line is no pair."""
        if self.header is not None:
            return self.header
        return isinstance(self.source, str) or isinstance(self.target, str)


class Pair(NamedTuple):
    """A source and a target, and the line they stand on (1 first)."""

    source: str
    target: str
    line: int


def read_pairs(path: str | Path, columns: Columns | None = None) -> Iterator[Pair]:
    """The pairs of a TSV file, one after the other; nothing is held.

    A file that ends in `.gz` is unpacked on the way. Blank lines are skipped.

    Args:
        path: file in UTF-8, with or without byte order mark.
        columns: where source and target stand; the first two columns when absent.

    Raises:
        DataError: the file is missing, empty, not UTF-8 or damaged, or a line has too few columns,
            an empty source or an empty target; names the file and the line.
    """
    columns = Columns() if columns is None else columns
    path = Path(path)
    places: tuple[int, int] | None = None
    found = False
    for number, text in _lines(path):
        if not text.strip():
            continue
        fields = text.split(columns.delimiter)
        if places is None:
            places = _places(path, columns, fields)
            if columns.has_header:
                continue
        found = True
        yield Pair(
            _field(path, number, fields, places[0], "source", columns),
            _field(path, number, fields, places[1], "target", columns),
            number,
        )
    if not found:
        raise DataError(f"{path} is empty: it holds no pairs. Give a TSV with a pair on each line.")


def _places(path: Path, columns: Columns, first: list[str]) -> tuple[int, int]:
    def place(column: int | str) -> int:
        if isinstance(column, int):
            return column - 1
        if column not in first:
            raise DataError(
                f"{path}:1: there is no column named {column!r}; the header line has "
                f"{', '.join(repr(name) for name in first)}."
            )
        return first.index(column)

    return place(columns.source), place(columns.target)


def _field(
    path: Path, number: int, fields: list[str], place: int, side: str, columns: Columns
) -> str:
    if place >= len(fields):
        if len(fields) == 1:
            raise DataError(
                f"{path}:{number}: there is no {columns.delimiter!r} on this line, but the {side} "
                f"is wanted from column {place + 1}; separate columns with a tab."
            )
        raise DataError(
            f"{path}:{number}: the line has {len(fields)} columns, but the {side} is wanted from "
            f"column {place + 1}; choose another {side} column or mend the line."
        )
    text = fields[place].strip()
    if not text:
        raise DataError(
            f"{path}:{number}: the {side} is empty; give it at least one symbol or delete the line."
        )
    return text


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a TSV file.")
    try:
        with _open(path) as file:
            number = 0
            while raw := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(raw) > _LONGEST_LINE:
                    raise DataError(
                        f"{path}:{number}: the line is longer than {_LONGEST_LINE} bytes; "
                        "this is not a TSV of pairs."
                    )
                yield number, _decoded(path, number, raw)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path.") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path} is damaged and cannot be unpacked ({error}).") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _decoded(path: Path, number: int, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number}: byte {error.start + 1} of the line is not UTF-8 "
            f"(0x{raw[error.start]:02x}); convert the file to UTF-8."
        ) from error
    return text.rstrip("\r\n")
