"""Reading pairs of strings from TSV files, line by line."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from ._columns import Columns
from ._text_file import read_lines


class Pair(NamedTuple):
    """A source and a target, and the line they stand on (1 first)."""

    source: str
    target: str
    line: int


def read_pairs(path: str | Path, columns: Columns | None = None) -> Iterator[Pair]:
    r"""The pairs of a TSV file, one after the other; none is held.

    A file that ends in `.gz` is unpacked on the way. Lines without a character are skipped. Spaces
    around a source or target are part of it.

    Args:
        path: file in UTF-8, with or without byte order mark, lines ending in `\n` or `\r\n`.
        columns: where source and target stand; the first two columns when absent.

    Raises:
        DataError: the file is missing, empty, not UTF-8 or damaged, or a line has too few columns,
            an empty source or an empty target; names the file and the line.
    """
    columns = Columns() if columns is None else columns
    path = Path(path)
    delimiter = columns.delimiter
    lines = read_lines(path)
    source_place, target_place = 0, 0
    found = False
    for number, text in lines:
        if number == 1:
            source_place, target_place = columns.places(path, text)
            if columns.has_header:
                continue
        if not text:
            continue
        fields = text.split(delimiter)
        try:
            source, target = fields[source_place], fields[target_place]
        except IndexError:
            raise _too_few(path, number, fields, source_place, target_place, delimiter) from None
        if not source or source.isspace():
            raise _empty(path, number, "source")
        if not target or target.isspace():
            raise _empty(path, number, "target")
        found = True
        yield Pair(source, target, number)
    if not found:
        what = "has no line after the header" if columns.has_header else "is empty"
        raise DataError(f"{path} {what}; give a file with a source and a target on each line.")


def _too_few(
    path: Path, number: int, fields: list[str], source: int, target: int, delimiter: str
) -> DataError:
    side, place = ("source", source) if source >= len(fields) else ("target", target)
    name = "tab" if delimiter == "\t" else repr(delimiter)
    wanted = f"the {side} is wanted from column {place + 1}"
    if len(fields) == 1:
        return DataError(
            f"{path}:{number}: there is no {name} on this line, but {wanted}; put a {name} between "
            "source and target, or choose other columns."
        )
    return DataError(
        f"{path}:{number}: this line has {len(fields)} columns, but {wanted}; mend the line or "
        "choose another column."
    )


def _empty(path: Path, number: int, side: str) -> DataError:
    return DataError(f"{path}:{number}: the {side} is empty; fill it in or delete the line.")
