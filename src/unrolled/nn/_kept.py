"""What a run of the compiled stack returns, by name and as an operator's flat list."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ..grid import StackShape
from ..kernels import gates_row


class Kept(NamedTuple):
    """What a run returns.

    Attributes:
        outputs: h of each layer, directions side by side, (step, batch, output); of the last alone
            where the others are not wanted.
        h_n: final hidden states, a row per layer and direction.
        c_n: final cell states; `None` but for an LSTM.
        cells: c of each row of `h_n`, (step, batch, cell); none where they were not asked for.
        gates: of each row, for the gradient; none where they were not asked for.
    """

    outputs: list[Tensor]
    h_n: Tensor
    c_n: Tensor | None
    cells: list[Tensor]
    gates: list[Tensor]


class Wanted(NamedTuple):
    """What a run is asked for beside outputs and final states, as `Kept` names it."""

    cells: bool
    gates: bool


def by_name(shape: StackShape, tensors: Sequence[Tensor], kept: Wanted) -> Kept:
    """What is in the list that the operator returns.

    Args:
        shape: the stack.
        tensors: the list.
        kept: what was asked for.
    """
    left = list(tensors)

    def take(count: int) -> list[Tensor]:
        taken = left[:count]
        del left[:count]
        return taken

    outputs = take(shape.num_layers)
    [h_n] = take(1)
    c_n = take(1)[0] if shape.has_cell_state else None
    cells = take(shape.num_rows) if kept.cells and shape.has_cell_state else []
    return Kept(outputs, h_n, c_n, cells, take(shape.num_rows) if kept.gates else [])


def flattened(kept: Kept) -> list[Tensor]:
    """The list that an operator returns; `by_name` reads it.

    Args:
        kept: what a run returned.
    """
    c_n = [] if kept.c_n is None else [kept.c_n]
    return [*kept.outputs, kept.h_n, *c_n, *kept.cells, *kept.gates]


def room(shape: StackShape, like: Tensor, steps: int, batch: int, wanted: Wanted) -> Kept:
    """Memory for what a run returns.

    Args:
        shape: the stack.
        like: a tensor of the type and device of all.
        steps: of the run.
        batch: its samples.
        wanted: what is asked for.
    """
    make, rows = like.new_empty, shape.num_rows
    outputs = [make(steps, batch, shape.output_size) for _ in range(shape.num_layers)]
    kept = room_around(shape, like, batch, outputs)
    if shape.has_cell_state and wanted.cells:
        kept.cells.extend(make(steps, batch, shape.cell_size) for _ in range(rows))
    if wanted.gates:
        kept.gates.extend(make(steps * batch, gates_row(shape)) for _ in range(rows))
    return kept


def room_around(shape: StackShape, like: Tensor, batch: int, outputs: list[Tensor]) -> Kept:
    """As `room`, where there is memory for the outputs already and no more is wanted than they.

    Args:
        shape: as in `room`.
        like: as in `room`.
        batch: as in `room`.
        outputs: those that are wanted.
    """
    h_n = like.new_empty(shape.num_rows, batch, shape.state_size)
    has_cell = shape.has_cell_state
    c_n = like.new_empty(shape.num_rows, batch, shape.cell_size) if has_cell else None
    return Kept(outputs, h_n, c_n, [], [])


def gradient_room(
    x: Tensor, h0: Tensor, c0: Tensor | None, weights: Sequence[Tensor], of_x: bool
) -> list[Tensor]:
    """Memory for the gradients of x, h0, c0 and weights.

    Args:
        x: the input.
        h0: the initial hidden states.
        c0: the initial cell states, for an LSTM.
        weights: those whose gradients are wanted.
        of_x: whether that of x is; else it has no size.
    """
    # Sizes one by one are taken in half the time that a shape needs.
    of_input = x.new_empty(*x.shape) if of_x else x.new_empty(0)
    states = [state.new_empty(*state.shape) for state in (h0, c0) if state is not None]
    return [of_input, *states, *(weight.new_empty(*weight.shape) for weight in weights)]
