"""The options that say which columns of a TSV hold source and target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ._parser import CommandParser
from ._values import column, separator

if TYPE_CHECKING:
    from ..seq2seq import Columns


def add_column_options(parser: CommandParser) -> None:
    """Add the group "columns" to a command that reads pairs."""
    group = parser.add_argument_group("columns")
    group.add_argument(
        "--source_column",
        type=column,
        metavar="N|NAME",
        default=1,
        help="column of the sources: its number, counted from 1, or its name in a header line",
    )
    group.add_argument(
        "--target_column",
        type=column,
        metavar="N|NAME",
        default=2,
        help="column of the targets, likewise",
    )
    group.add_argument(
        "--delimiter",
        type=separator,
        metavar="TEXT",
        default="\\t",
        help="what stands between columns",
    )
    group.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether the first line names the columns; auto: it does when a column is asked for "
        "by name",
    )


def columns_of(options: Namespace) -> Columns:
    """The columns asked for."""
    from ..seq2seq import Columns

    return Columns(
        options.source_column,
        options.target_column,
        options.delimiter,
        header_of(options),
    )


def header_of(options: Namespace) -> bool | None:
    """Whether there is a header line; None where the columns asked for decide."""
    words: dict[str, bool | None] = {"auto": None, "yes": True, "no": False}
    return words[options.header]
