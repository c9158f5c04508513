"""The grid of a stack that has not run: which state would stand where."""

from __future__ import annotations

from collections.abc import Sequence

from ..grid import StackShape, check_lengths
from ._grid_part import grid_part
from ._report import Report


def explain_shape(
    shape: StackShape, steps: int, lengths: Sequence[int] | None = None, *, name: str = "stack"
) -> Report:
    """What `output`, `hidden_state` and `cell_state` hold, for a stack of this shape.

    Args:
        shape: the recurrent stack; `layer.shape` of any layer of `unrolled.nn`.
        steps: columns of the grid, padding included.
        lengths: real steps of each sample of a ragged batch; one full sample when left out.
        name: what to call the stack.

    Returns:
        A report with one grid for each sample.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: fewer than one step, or a length that is not between 1 and `steps`.

    >>> report = explain_shape(StackShape("gru", 8, 16, num_layers=2), steps=4)
    >>> sorted(map(str, report.grid("stack").held_by("hidden_state")))
    ['h[layer=0, forward, step=3]', 'h[layer=1, forward, step=3]']
    """
    if lengths is None:
        return Report("Grid of states", (grid_part(shape, steps, name=name),))
    checked = check_lengths(lengths, batch=len(lengths), steps=steps)
    return Report(
        "Grids of states",
        tuple(
            grid_part(shape, steps, int(length), name=f"{name}, sample {sample}")
            for sample, length in enumerate(checked)
        ),
    )
