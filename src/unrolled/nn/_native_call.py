"""The compiled stack, called past PyTorch's dispatcher."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..grid import StackShape
from ._kept import Kept, Wanted, gradient_room, room, room_around
from ._stack_cache import stack_of


def compute(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    *,
    cells: bool,
    gates: bool,
    precision: str = "fp32",
) -> Kept:
    """Run a stack, past PyTorch's dispatcher.

    Args:
        shape: the stack.
        x: the input, time first.
        h0: initial hidden states.
        c0: initial cell states, for an LSTM.
        lengths: real steps of each sample; padded steps of what is returned are 0.
        weights: of all rows, one after the other.
        cells: whether c of every step is wanted.
        gates: whether a gradient will be, which needs those cells too.
        precision: of the weights, in the order that `QuantizedLayer` has them.
    """
    steps, batch = x.shape[:2]
    kept = room(shape, x, steps, batch, Wanted(cells or gates, gates))
    _run(shape, x, h0, c0, lengths, weights, kept, None, precision)
    return kept


def compute_top(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    *,
    ids: Tensor | None = None,
    precision: str = "fp32",
) -> Kept:
    """`compute`, where of the outputs only that of the last layer is wanted, and comes alone.

    The compiled stack keeps memory for those of the layers below, and makes long runs a stretch of
    steps after the other.

    Args:
        shape: the stack.
        x: as in `compute`.
        h0: as in `compute`.
        c0: as in `compute`.
        lengths: as in `compute`.
        weights: as in `compute`.
        ids: where `x` is a table, which of its rows is the input, (step, batch).
        precision: as in `compute`.
    """
    steps, batch = (x if ids is None else ids).shape[:2]
    kept = room_around(shape, x, batch, [x.new_empty(steps, batch, shape.output_size)])
    _run(shape, x, h0, c0, lengths, weights, kept, ids, precision)
    return kept


def _run(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    kept: Kept,
    ids: Tensor | None,
    precision: str,
) -> None:
    """One run into memory that is there: that of `kept`."""
    states = (h0,) if c0 is None else (h0, c0)
    finals = (kept.h_n,) if kept.c_n is None else (kept.h_n, kept.c_n)
    stack_of(shape, weights, precision).forward(
        weights,
        _steps_of(x),
        [_array(state) for state in states],
        [output.numpy() for output in kept.outputs],
        [final.numpy() for final in finals],
        None if lengths is None else lengths.numpy(),
        [cell.numpy() for cell in kept.cells],
        [gate.numpy() for gate in kept.gates],
        None if ids is None else ids.numpy(),
    )


def compute_gradients(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    outputs: list[Tensor],
    cells: list[Tensor],
    gates: list[Tensor],
    grads: list[Tensor | None],
    *,
    of_x: bool,
    of_weights: bool,
) -> list[Tensor]:
    """The gradients of x, h0, c0 and the weights, past PyTorch's dispatcher.

    Args:
        shape: the stack.
        x: as in `compute`.
        h0: as in `compute`.
        c0: as in `compute`.
        lengths: as in `compute`.
        weights: as in `compute`.
        outputs: what the run kept; as in `Kept`.
        cells: likewise.
        gates: likewise.
        grads: of the outputs, h_n, c_n of an LSTM, and cells; `None` for 0.
        of_x: whether that of x is wanted; else it has no size.
        of_weights: whether those of the weights are; else there are none.
    """
    has_cell_state = shape.has_cell_state
    arrays = [None if grad is None else _steps_of(grad) for grad in grads]
    of_outputs, [of_h_n, *rest] = arrays[: shape.num_layers], arrays[shape.num_layers :]
    found = gradient_room(x, h0, c0, weights if of_weights else [], of_x)
    of_row = [part.numpy() for part in found[2 + has_cell_state :]]
    per_row = len(weights) // shape.num_rows
    stack = stack_of(shape, weights)
    stack.compiled.backward(
        stack.bound(weights),
        _steps_of(x),
        _array(h0),
        None if c0 is None else _array(c0),
        None if lengths is None else lengths.numpy(),
        [_array(output) for output in outputs],
        [_array(cell) for cell in cells],
        [_array(gate) for gate in gates],
        of_outputs,
        of_h_n,
        rest[0] if has_cell_state else None,
        rest[1:],
        found[0].numpy() if of_x else None,
        found[1].numpy(),
        found[2].numpy() if has_cell_state else None,
        [of_row[at : at + per_row] for at in range(0, len(of_row), per_row)],
        stack.threads(*x.shape[:2]),
    )
    return found


def _array(tensor: Tensor) -> np.ndarray:
    """What the bindings take in a third of the time that a tensor needs; its elements in order."""
    return tensor.contiguous().numpy(force=True)


def _steps_of(x: Tensor) -> np.ndarray:
    """As `_array`, but only the elements of one step lie side by side, as they did."""
    is_side_by_side = x.shape[-1] < 2 or x.stride(-1) == 1
    return x.numpy(force=True) if is_side_by_side else _array(x)
