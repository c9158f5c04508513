"""The gradient of a run of the compiled stack, with PyTorch's dispatcher and without."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..grid import StackShape
from . import _reference_engine
from ._kept import Kept, Wanted, by_name, flattened
from ._kernel_use import is_batched, is_traced
from ._native_call import compute, compute_gradients
from ._native_op import recurrent, recurrent_backward, shape_of, sizes_of
from ._stack_call import StackCall
from ._weights import LayerWeights, weight_names


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
        return tuple(flattened(kept._replace(gates=[])))

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


recurrent.register_autograd(_backward, setup_context=_setup)


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
    given = [grad for grad in wanted if grad is not None]
    if torch.is_grad_enabled() or is_batched(given):
        return _by_reference(shape, x, h0, c0, lengths, weights, wanted)
    if not gates:
        raise RuntimeError("this run kept nothing for a gradient; run it with gates=True.")
    of_x, of_weights = ctx.needs_input_grad[0], any(weight.requires_grad for weight in weights)
    states = [h0] if c0 is None else [h0, c0]
    if is_traced([x, *states, *rest, *given]):
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


def _by_reference(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    lengths: Tensor | None,
    weights: list[Tensor],
    grads: list[Tensor | None],
) -> tuple[Tensor | None, Tensor | None, Tensor | None, list[Tensor | None]]:
    """The same gradients by the reference engine: of PyTorch's operators, which know both more."""
    is_differentiated = torch.is_grad_enabled()
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
                create_graph=is_differentiated,
                allow_unused=True,
            )
        )
    every = [
        next(found) if t is not None and t.requires_grad else None for t in (x, h0, c0, *weights)
    ]
    return every[0], every[1], every[2], every[3:]
