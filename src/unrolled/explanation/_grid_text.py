"""The grid for a terminal: the picture of `unrolled.grid`, and the symbols that were read."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from ..grid import picture_lines
from ._grid_part import GridPart
from ._grid_values import value_lines
from ._receptive_field import describe_field
from ._symbol import shown


def grid_lines(part: GridPart, width: int) -> list[str]:
    """The marks of each state, then what was read and predicted, in lines of `width` columns."""
    shape = part.shape
    lines = picture_lines(
        num_layers=shape.num_layers,
        directions=shape.directions,
        steps=part.steps,
        length=part.length,
        selected=[entry.address for entry in part.states if entry.selected],
        field=part.field,
    )
    if shape.has_cell_state:
        lines.append("cell_state: the c beside each hidden_state; output holds no c")
    if part.field_of:
        lines += wrap(describe_field(part), width)
    lines += value_lines(part, width)
    if part.initial:
        lines.append(f"started by: {part.initial}")
    lines += _numbered("reads", part.symbols, width)
    lines += _numbered("predicts", part.predicted, width)
    return lines


def _numbered(verb: str, symbols: Sequence[str], width: int) -> list[str]:
    """`reads: 0 u  1 n  2 r`, wrapped between symbols."""
    if not symbols:
        return []
    pairs = "  ".join(
        f"{step}\N{NO-BREAK SPACE}{shown(symbol)}" for step, symbol in enumerate(symbols)
    )
    wrapped = wrap(f"{verb}: {pairs}", width, subsequent_indent=" " * (len(verb) + 2))
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]
