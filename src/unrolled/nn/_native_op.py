"""The compiled stack as PyTorch operators: forward, fake, gradient, reference for its gradient.

Tensors come and go as flat lists, since that is what an operator's schema can say; `Kept` names
what is in them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..grid import Cell, StackShape
from ..kernels import best_slices, gates_row
from . import _reference_engine
from ._kernel_use import is_traced
from ._stack_cache import stack_of
from ._stack_call import StackCall
from ._weights import LayerWeights, weight_names

Sizes = list[int]


class Kept(NamedTuple):
    """What a run returns.

    Attributes:
        outputs: h of each layer, directions side by side, (step, batch, output).
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


def sizes_of(shape: StackShape) -> Sizes:
    """A shape as an operator's argument.

    Args:
        shape: the stack; its cell is an argument of its own.
    """
    return [
        shape.input_size,
        shape.hidden_size,
        shape.num_layers,
        int(shape.bidirectional),
        int(shape.bias),
        shape.proj_size,
    ]


def shape_of(cell: str, sizes: Sequence[int]) -> StackShape:
    """The shape that `sizes_of` wrote down.

    Args:
        cell: its cell.
        sizes: the rest.
    """
    found: Cell = cell  # type: ignore[assignment]
    size, hidden, layers, bidirectional, bias, proj = sizes
    return StackShape(found, size, hidden, layers, bool(bidirectional), bool(bias), proj)


def flat(weights: list[LayerWeights]) -> list[Tensor]:
    """The weights of all rows, one after the other.

    Args:
        weights: one `LayerWeights` per row of `hidden_state`.
    """
    return [weight for row in weights for weight in row.present()]


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
    kept = _room(shape, x, steps, batch, lengths is not None, Wanted(cells or gates, gates))
    stack = stack_of(shape, weights, precision)
    threads = stack.threads(steps, batch)
    stack.compiled.forward(
        stack.arrays(weights),
        _steps_of(x),
        _array(h0),
        None if c0 is None else _array(c0),
        None if lengths is None else lengths.numpy(),
        [output.numpy() for output in kept.outputs],
        kept.h_n.numpy(),
        None if kept.c_n is None else kept.c_n.numpy(),
        [cell.numpy() for cell in kept.cells],
        [gate.numpy() for gate in kept.gates],
        None if ids is None else ids.numpy(),
        best_slices(batch, shape.num_directions, threads),
        threads,
    )
    return kept


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
    found = _gradient_room(x, h0, c0, weights if of_weights else [], of_x)
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
        [output.numpy(force=True) for output in outputs],
        [cell.numpy(force=True) for cell in cells],
        [gate.numpy(force=True) for gate in gates],
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


@torch.library.custom_op("unrolled::recurrent", mutates_args=())
def recurrent(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    cell: str,
    sizes: list[int],
    cells: bool,
    gates: bool,
) -> list[Tensor]:
    """`compute` as an operator; the fields of `Kept` one after the other."""
    found = compute(shape_of(cell, sizes), x, h0, c0, lengths, weights, cells=cells, gates=gates)
    return _flattened(found)


@torch.library.custom_op("unrolled::recurrent_quantized", mutates_args=())
def recurrent_quantized(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    cell: str,
    sizes: list[int],
    precision: str,
    cells: bool,
) -> list[Tensor]:
    """`compute` with weights of a low precision as an operator, which has no gradient."""
    shape = shape_of(cell, sizes)
    found = compute(
        shape, x, h0, c0, lengths, weights, cells=cells, gates=False, precision=precision
    )
    return _flattened(found)


@recurrent_quantized.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    cell: str,
    sizes: list[int],
    precision: str,
    cells: bool,
) -> list[Tensor]:
    shape = shape_of(cell, sizes)
    return _flattened(_room(shape, x, x.shape[0], x.shape[1], False, Wanted(cells, False)))


@recurrent.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    cell: str,
    sizes: list[int],
    cells: bool,
    gates: bool,
) -> list[Tensor]:
    shape = shape_of(cell, sizes)
    return _flattened(_room(shape, x, x.shape[0], x.shape[1], False, Wanted(cells or gates, gates)))


@torch.library.custom_op("unrolled::recurrent_backward", mutates_args=())
def recurrent_backward(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    outputs: list[Tensor],
    cells: list[Tensor],
    gates: list[Tensor],
    grad_outputs: list[Tensor],
    grad_is_given: list[bool],
    cell: str,
    sizes: list[int],
    of_x: bool,
    of_weights: bool,
) -> list[Tensor]:
    """The gradients of x, h0, c0 and the weights; of x without a size, of weights none if unwanted.

    `grad_outputs` are those of the outputs, h_n, c_n and cells that `grad_is_given` says are there.
    """
    given = iter(grad_outputs)
    return compute_gradients(
        shape_of(cell, sizes),
        x,
        h0,
        c0,
        lengths,
        weights,
        outputs,
        cells,
        gates,
        [next(given) if there else None for there in grad_is_given],
        of_x=of_x,
        of_weights=of_weights,
    )


@recurrent_backward.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    outputs: list[Tensor],
    cells: list[Tensor],
    gates: list[Tensor],
    grad_outputs: list[Tensor],
    grad_is_given: list[bool],
    cell: str,
    sizes: list[int],
    of_x: bool,
    of_weights: bool,
) -> list[Tensor]:
    return _gradient_room(x, h0, c0, weights if of_weights else [], of_x)


class _Recorded(torch.autograd.Function):
    """`recurrent` past PyTorch's dispatcher, which takes longer than a small run."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h0: Tensor,
        c0: Tensor | None,
        lengths: Tensor | None,
        shape: StackShape,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        kept = compute(shape, x, h0, c0, lengths, weights, cells=True, gates=True)
        _keep(ctx, shape, x, h0, c0, lengths, weights, kept)
        return tuple(_flattened(kept._replace(gates=[])))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        of_x, of_h0, of_c0, of_weights = _gradients(ctx, grads)
        return (of_x, of_h0, of_c0, None, None, *of_weights)


def compute_recorded(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
) -> Kept:
    """`compute`, with every state, of which PyTorch can find the gradient.

    Args:
        shape: the stack.
        x: as in `compute`.
        h0: as in `compute`.
        c0: as in `compute`.
        lengths: as in `compute`.
        weights: as in `compute`.
    """
    found = _Recorded.apply(x, h0, c0, lengths, shape, *weights)  # type: ignore[no-untyped-call]
    return by_name(shape, found, Wanted(cells=True, gates=False))


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    x, h0, c0, lengths, weights, cell, sizes, cells, gates = inputs
    shape = shape_of(cell, sizes)
    kept = by_name(shape, output, Wanted(cells or gates, gates))
    _keep(ctx, shape, x, h0, c0, lengths, weights, kept)


def _backward(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    of_x, of_h0, of_c0, of_weights = _gradients(ctx, grads)
    return (of_x, of_h0, of_c0, None, of_weights, None, None, None, None)


def _keep(
    ctx: Any,
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: Sequence[Tensor],
    kept: Kept,
) -> None:
    ctx.set_materialize_grads(False)
    ctx.shape = shape
    ctx.counts = (len(weights), len(kept.outputs), len(kept.cells))
    ctx.save_for_backward(x, h0, c0, lengths, *weights, *kept.outputs, *kept.cells, *kept.gates)


def _gradients(
    ctx: Any, grads: Sequence[Tensor | None]
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Sequence[Tensor | None]]:
    """Of x, h0, c0 and the weights, from those of what a run returned."""
    shape: StackShape = ctx.shape
    x, h0, c0, lengths, *rest = ctx.saved_tensors
    ends = [sum(ctx.counts[: n + 1]) for n in range(3)]
    weights, outputs = rest[: ends[0]], rest[ends[0] : ends[1]]
    cells, gates = rest[ends[1] : ends[2]], rest[ends[2] :]
    wanted = list(grads[: len(outputs) + 1 + shape.has_cell_state + len(cells)])
    if torch.is_grad_enabled():  # somebody will differentiate this gradient
        return _by_reference(shape, x, h0, c0, lengths, weights, wanted)
    if not gates:
        raise RuntimeError("this run kept nothing for a gradient; run it with gates=True.")
    of_x, of_weights = ctx.needs_input_grad[0], any(weight.requires_grad for weight in weights)
    given = [grad for grad in wanted if grad is not None]
    if is_traced([x, h0, *rest, *given]):
        is_given = [grad is not None for grad in wanted]
        found = recurrent_backward(
            x,
            h0,
            c0,
            lengths,
            weights,
            outputs,
            cells,
            gates,
            given,
            is_given,
            shape.cell,
            sizes_of(shape),
            of_x,
            of_weights,
        )
    else:
        found = compute_gradients(
            shape,
            x,
            h0,
            c0,
            lengths,
            weights,
            outputs,
            cells,
            gates,
            wanted,
            of_x=of_x,
            of_weights=of_weights,
        )
    return (
        found[0] if of_x else None,
        found[1],
        None if c0 is None else found[2],
        found[2 + (c0 is not None) :] if of_weights else [None] * len(weights),
    )


recurrent.register_autograd(_backward, setup_context=_setup)


def _by_reference(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    grads: list[Tensor | None],
) -> tuple[Tensor | None, Tensor | None, Tensor | None, list[Tensor | None]]:
    """The same gradients by the reference engine, which can be differentiated again."""
    per_row = len(weights) // shape.num_rows
    names = [name.split("_l", 1)[0] for name in weight_names(shape, 0, "forward")]
    rows = [
        LayerWeights(**dict(zip(names, weights[at : at + per_row], strict=True)))
        for at in range(0, len(weights), per_row)
    ]
    with torch.enable_grad():
        states = _reference_engine.unroll(StackCall(shape, rows, x, h0, c0, lengths, 0.0, False))
        layers = [
            torch.cat(list(states.hidden[layer]), dim=-1) for layer in range(shape.num_layers)
        ]
        finals = _reference_engine.finals(states, lengths)
        of_cells = [] if states.cell is None else list(states.cell.flatten(0, 1))
        values = [*layers, *(final for final in finals if final is not None), *of_cells]
        pairs = [(v, g) for v, g in zip(values, grads, strict=True) if g is not None]
        inputs = [t for t in (x, h0, c0, *weights) if t is not None and t.requires_grad]
        found = iter(
            torch.autograd.grad(
                [value for value, _ in pairs],
                inputs,
                [grad for _, grad in pairs],
                create_graph=True,
                allow_unused=True,
            )
        )
    every = [
        next(found) if t is not None and t.requires_grad else None for t in (x, h0, c0, *weights)
    ]
    return every[0], every[1], every[2], every[3:]


def _room(
    shape: StackShape, like: Tensor, steps: int, batch: int, ragged: bool, wanted: Wanted
) -> Kept:
    """Memory for what a run returns; of ragged batches the padding is 0."""
    make, rows = like.new_zeros if ragged else like.new_empty, shape.num_rows
    outputs = [make(steps, batch, shape.output_size) for _ in range(shape.num_layers)]
    h_n = like.new_empty(rows, batch, shape.state_size)
    c_n, cells, gates = None, [], []
    if shape.has_cell_state:
        size = shape.cell_size
        c_n = like.new_empty(rows, batch, size)
        cells = [make(steps, batch, size) for _ in range(rows)] if wanted.cells else []
    if wanted.gates:
        size = gates_row(shape)
        gates = [like.new_empty(steps * batch, size) for _ in range(rows)]
    return Kept(outputs, h_n, c_n, cells, gates)


def _gradient_room(
    x: Tensor, h0: Tensor, c0: Tensor | None, weights: Sequence[Tensor], of_x: bool
) -> list[Tensor]:
    # Sizes one by one are taken in half the time that a shape needs.
    of_input = x.new_zeros(*x.shape) if of_x else x.new_zeros(0)
    states = [state.new_empty(*state.shape) for state in (h0, c0) if state is not None]
    return [of_input, *states, *(weight.new_zeros(*weight.shape) for weight in weights)]


def _flattened(kept: Kept) -> list[Tensor]:
    c_n = [] if kept.c_n is None else [kept.c_n]
    return [*kept.outputs, kept.h_n, *c_n, *kept.cells, *kept.gates]


def _array(tensor: Tensor) -> np.ndarray:
    """What the bindings take in a third of the time that a tensor needs; its elements in order."""
    return tensor.contiguous().numpy(force=True)


def _steps_of(x: Tensor) -> np.ndarray:
    """As `_array`, but only the elements of one step lie side by side, as they did."""
    is_side_by_side = x.shape[-1] < 2 or x.stride(-1) == 1
    return x.numpy(force=True) if is_side_by_side else _array(x)
