"""The native engine: the compiled kernels."""

import torch
from torch import Tensor
from torch.nn.functional import dropout

from ..grid import StackShape
from ._kept import Kept, Wanted, by_name
from ._kernel_use import is_recorded, is_traced, why_not_compiled
from ._native_call import compute, compute_top
from ._native_gradient import compute_recorded
from ._native_op import recurrent, sizes_of
from ._stack_call import StackCall, StackStates, TopStates
from ._weights import flat


def why_not(call: StackCall) -> str | None:
    """Why a run needs another engine; `None` where it does not.

    Args:
        call: the run.
    """
    return why_not_compiled([*call.given(), *flat(call.weights)])


def run(call: StackCall) -> TopStates:
    """`output` and the final states of a run.

    Args:
        call: the run.
    """
    kept = _compute(call, cells=False)
    return TopStates(kept.outputs[-1], kept.h_n, kept.c_n)


def unroll(call: StackCall) -> StackStates:
    """Every state of a run, as the kernels leave them.

    Args:
        call: the run.
    """
    return states_of(call.shape, _compute(call, cells=True))


def states_of(shape: StackShape, kept: Kept) -> StackStates:
    """The grid of a run that kept its cells.

    Args:
        shape: the stack.
        kept: what the run returned.
    """
    planes = torch.stack(kept.outputs)
    planes = planes.reshape(*planes.shape[:3], shape.num_directions, shape.state_size)
    hidden = planes.permute(0, 3, 1, 2, 4)
    if not kept.cells:
        return StackStates(hidden, None)
    cells = torch.stack(kept.cells)
    return StackStates(
        hidden, cells.reshape(shape.num_layers, shape.num_directions, *cells.shape[1:])
    )


def _compute(call: StackCall, *, cells: bool) -> Kept:
    if not (call.dropout and call.training and call.shape.num_layers > 1):
        return _compute_stack(call.shape, call, flat(call.weights), call.x, call.h0, call.c0, cells)
    return _compute_by_layer(call, cells)


def _compute_by_layer(call: StackCall, cells: bool) -> Kept:
    """Layer by layer, for what happens between layers."""
    shape, count = call.shape, call.shape.num_directions
    x, parts = call.x, []
    for layer in range(shape.num_layers):
        rows = slice(layer * count, (layer + 1) * count)
        one = StackShape(
            shape.cell,
            shape.layer_input_size(layer),
            shape.hidden_size,
            1,
            shape.bidirectional,
            shape.bias,
            shape.proj_size,
        )
        c0 = None if call.c0 is None else call.c0[rows]
        part = _compute_stack(one, call, flat(call.weights[rows]), x, call.h0[rows], c0, cells)
        parts.append(part)
        x = dropout(part.outputs[0], call.dropout, training=True)
    finals = [part.c_n for part in parts if part.c_n is not None]
    return Kept(
        [part.outputs[0] for part in parts],
        torch.cat([part.h_n for part in parts]),
        torch.cat(finals) if finals else None,
        [cell for part in parts for cell in part.cells],
        [],
    )


def _compute_stack(
    shape: StackShape,
    call: StackCall,
    weights: list[Tensor],
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    cells: bool,
) -> Kept:
    tensors = [x, h0, *weights] + ([] if c0 is None else [c0])
    recorded, lengths = is_recorded(tensors), call.lengths
    if is_traced(tensors):
        wanted = Wanted(cells=cells or recorded, gates=recorded)
        found = recurrent(x, h0, c0, lengths, weights, shape.cell, sizes_of(shape), *wanted)
        return by_name(shape, found, wanted)
    if recorded:
        return compute_recorded(shape, x, h0, c0, lengths, weights)
    if not cells:
        return compute_top(shape, x, h0, c0, lengths, weights)
    return compute(shape, x, h0, c0, lengths, weights, cells=True, gates=False)
