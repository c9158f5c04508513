"""The grids in which the states of a selection are marked: one for each kind of sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..grid import StackShape, StateAddress
from ._grid_part import GridPart, grid_part
from ._selection_words import listed
from ._shown_states import ShownStates
from ._table_part import TablePart

MOST_GRIDS = 6


def selection_grids(
    shape: StackShape,
    steps: int,
    lengths: Sequence[int],
    selected: Sequence[frozenset[StateAddress]],
    chosen: StateAddress | None = None,
    shown: ShownStates | None = None,
) -> tuple[GridPart | TablePart, ...]:
    """Samples of one length of which the same states are taken share a grid.

    Args:
        shape: the stack.
        steps: columns, padding included.
        lengths: real steps of each sample.
        selected: the states taken of each sample.
        chosen: the state whose receptive field is marked in each grid.
        shown: what is told of each state in numbers; then each sample has a grid of its own.
    """
    alike: dict[tuple[int, frozenset[StateAddress], int], list[int]] = {}
    for sample, (length, taken) in enumerate(zip(lengths, selected, strict=True)):
        own = 0 if shown is None else sample
        alike.setdefault((length, taken, own), []).append(sample)
    parts: list[GridPart | TablePart] = []
    for (length, taken, sample), samples in list(alike.items())[:MOST_GRIDS]:
        name = "each sample" if len(alike) == 1 else listed("sample", samples)
        values: Mapping[str, Any] = {} if shown is None else shown.of(sample)
        parts.append(
            grid_part(shape, steps, length, name=name, selected=taken, chosen=chosen, **values)
        )
    rest = list(alike.values())[MOST_GRIDS:]
    if rest:
        rows = tuple((listed("sample", samples),) for samples in rest[:MOST_GRIDS])
        dots = ((f"and {len(rest) - MOST_GRIDS} more",),) if rest[MOST_GRIDS:] else ()
        parts.append(TablePart("Grids not drawn", ("of",), (*rows, *dots)))
    return tuple(parts)
