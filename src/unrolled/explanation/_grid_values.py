"""The values of a grid's states as numbers: a table for each kind of state that has them."""

from __future__ import annotations

from textwrap import wrap

from ..grid import Kind, StateAddress
from ._grid_part import GridPart, kinds
from ._table_part import TablePart
from ._value_kinds import GATES, NORM

_LETTER = {"hidden": "h", "cell": "c"}


def describe_values(part: GridPart, drawn: bool = False) -> str:
    """What the numbers are, in a sentence; empty when none are asked for.

    Args:
        part: the grid.
        drawn: whether it stands beside a picture, of which it then speaks too.
    """
    if not part.values:
        return ""
    shade = " The fuller a box, the larger its value." if drawn else ""
    if part.values == NORM:
        return f"The value of a state is its Euclidean norm.{shade}"
    gate = GATES[part.values]
    return (
        f"The value of a state is the mean of its {gate.spoken} over the units, 0 shut and 1 open: "
        f"{gate.words}.{shade}"
    )


def value_tables(part: GridPart) -> tuple[TablePart, ...]:
    """A row for each layer and direction, a column for each real step."""
    return tuple(_table(part, kind, range(part.length)) for kind in _shown(part))


def value_lines(part: GridPart, width: int) -> list[str]:
    """The tables for a terminal, in bands of `width` columns; nothing when none are asked for."""
    lines = wrap(describe_values(part), width)
    names = [name for name, *_ in _rows(part, "hidden", range(1))]
    label = max(*map(len, names), len("h at step")) + 2
    column = max(5, len(str(part.length - 1)))
    band = max(1, (width - label) // (column + 2))
    for kind in _shown(part):
        for first in range(0, part.length, band):
            steps = range(first, min(first + band, part.length))
            title = f"  {_LETTER[kind]} at step"
            head = "".join(f"{step:>{column + 2}}" for step in steps)
            lines.append(f"{title:<{label}}{head}")
            for name, *values in _rows(part, kind, steps):
                numbers = "".join(f"{value:>{column + 2}}" for value in values)
                lines.append(f"  {name:<{label - 2}}{numbers}")
    return lines


def _shown(part: GridPart) -> tuple[Kind, ...]:
    """The kinds of state that have a value."""
    if not part.values:
        return ()
    return kinds(part.shape) if part.values == NORM else (GATES[part.values].kind,)


def _table(part: GridPart, kind: Kind, steps: range) -> TablePart:
    what = "norm" if part.values == NORM else GATES[part.values].spoken
    columns = ("", *(f"step {step}" for step in steps))
    return TablePart(f"{what} of {_LETTER[kind]}", columns, tuple(_rows(part, kind, steps)))


def _rows(part: GridPart, kind: Kind, steps: range) -> list[tuple[str, ...]]:
    """The name of each layer and direction, in the order of the grid, and its values."""
    rows = []
    for direction in part.shape.directions:
        for layer in reversed(range(part.shape.num_layers)):
            way = f" {direction}" if part.shape.bidirectional else ""
            numbers = []
            for step in steps if part.values else ():
                entry = part.state(StateAddress(kind, layer, direction, step))
                value = entry.norm if part.values == NORM else entry.gate
                numbers.append("" if value is None else _number(value))
            rows.append((f"layer {layer}{way}", *numbers))
    return rows


def _number(value: float) -> str:
    """Five columns for what states hold as a rule."""
    if value != 0 and not 0.001 <= abs(value) < 1000:
        return f"{value:.0e}"
    return f"{value:.3f}"[:5].rstrip(".")
