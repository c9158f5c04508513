"""The compiled stack, called past PyTorch's dispatcher."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..grid import StackShape
from ..kernels import best_slices
from ._kept import Kept, Wanted, gradient_room, room, room_around
from ._stack_cache import CompiledStack, stack_of

_STATES_AT_ONCE = 1 << 20  # numbers in the states of a layer, 4 MiB


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
    ids: Tensor | None = None,
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
        ids: where `x` is a table, which of its rows is the input, (step, batch).
        precision: of the weights, in the order that `QuantizedLayer` has them.
    """
    steps, batch = (x if ids is None else ids).shape[:2]
    kept = room(shape, x, steps, batch, Wanted(cells or gates, gates))
    stack = stack_of(shape, weights, precision)
    outputs = [output.numpy() for output in kept.outputs]
    _run(stack, shape, x, h0, c0, lengths, weights, kept, outputs, ids)
    return kept


def compute_top(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    precision: str = "fp32",
) -> Kept:
    """`compute`, where of the outputs only that of the last layer is wanted, and comes alone.

    Long runs are made a stretch of steps after the other, so that the states of the layers below
    stay in the cache and take no more memory however long the run is.

    Args:
        shape: the stack.
        x: as in `compute`.
        h0: as in `compute`.
        c0: as in `compute`.
        lengths: as in `compute`.
        weights: as in `compute`.
        precision: as in `compute`.
    """
    steps, batch = x.shape[:2]
    at_once, num_below = max(1, steps), shape.num_layers - 1
    if num_below > 0 and not shape.bidirectional and lengths is None:
        at_once = min(at_once, max(1, _STATES_AT_ONCE // max(1, batch * shape.output_size)))
    stack = stack_of(shape, weights, precision)
    below = stack.room_below(num_below, at_once, batch)
    output = x.new_empty(steps, batch, shape.output_size)
    h, c = h0, c0
    for first in range(0, max(1, steps), at_once):
        stretch = slice(first, first + at_once)
        kept = room_around(shape, x, batch, [output])
        top = output[stretch].numpy()
        outputs = [*below[:, : len(top)], top]
        _run(stack, shape, x[stretch], h, c, lengths, weights, kept, outputs, None)
        h, c = kept.h_n, kept.c_n
    stack.keep_room(below)
    return kept


def _run(
    stack: CompiledStack,
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    kept: Kept,
    outputs: list[np.ndarray],
    ids: Tensor | None,
) -> None:
    """One run into memory that is there: `outputs` of all layers, and the rest of `kept`."""
    steps, batch = (x if ids is None else ids).shape[:2]
    threads = stack.threads(steps, batch)
    stack.compiled.forward(
        stack.arrays(weights),
        _steps_of(x),
        _array(h0),
        None if c0 is None else _array(c0),
        None if lengths is None else lengths.numpy(),
        outputs,
        kept.h_n.numpy(),
        None if kept.c_n is None else kept.c_n.numpy(),
        [cell.numpy() for cell in kept.cells],
        [gate.numpy() for gate in kept.gates],
        None if ids is None else ids.numpy(),
        best_slices(batch, shape.num_directions, threads),
        threads,
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
    threads = stack.threads(*x.shape[:2])
    stack.compiled.backward(
        stack.arrays(weights),
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
        best_slices(x.shape[1], shape.num_directions, threads),
        threads,
    )
    return found


def _array(tensor: Tensor) -> np.ndarray:
    """What the bindings take in a third of the time that a tensor needs; its elements in order."""
    return tensor.contiguous().numpy(force=True)


def _steps_of(x: Tensor) -> np.ndarray:
    """As `_array`, but only the elements of one step lie side by side, as they did."""
    is_side_by_side = x.shape[-1] < 2 or x.stride(-1) == 1
    return x.numpy(force=True) if is_side_by_side else _array(x)
