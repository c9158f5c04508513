"""The compiled stack as PyTorch operators, and what each of them is where nothing is computed.

Tensors come and go as flat lists, since that is what an operator's schema can say; `Kept` names
what is in them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..grid import Cell, StackShape
from ._kept import Wanted, flattened, gradient_room, room
from ._native_call import compute, compute_gradients

Sizes = list[int]


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
    return flattened(found)


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
    return flattened(found)


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
    return flattened(room(shape, x, x.shape[0], x.shape[1], Wanted(cells, False)))


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
    return flattened(room(shape, x, x.shape[0], x.shape[1], Wanted(cells or gates, gates)))


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
    return gradient_room(x, h0, c0, weights if of_weights else [], of_x)
