"""The shortest way to a run: of a layer that is called on tensors, without gradients or lengths.

A step of a small layer takes a few microseconds, and to ask all that may be asked of a call takes
many times as long.
"""

from typing import Any

import torch
from torch import Tensor

from ..grid import StackShape
from ._engine import may_call_kernels
from ._stack_cache import stack_of
from ._weights import parameters_of


def run_quickly(layer: Any, input: Any, hx: Any) -> tuple[Tensor, Tensor, Tensor | None] | None:
    """`output` and the final states of a run on the kernels.

    Args:
        layer: an `RNN`, `GRU` or `LSTM`.
        input: as it was given to the layer.
        hx: likewise.

    Returns:
        `None` where anything is not as it mostly is: the long way computes that, or refuses it.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled():
        return None
    shape: StackShape = layer.shape
    weights = parameters_of(layer, shape)
    states = hx if isinstance(hx, tuple) else () if hx is None else (hx,)
    given = (input, *states)
    if weights is None or not all(map(_is_plain, given)):
        return None
    if not may_call_kernels([*given, *weights]) or (layer.dropout and layer.training):
        return None
    if input.dim() != 3 or input.shape[2] != shape.input_size or input.stride(2) != 1:
        return None
    x = input.transpose(0, 1) if layer.batch_first else input
    steps, batch, _ = x.shape
    sizes = [(shape.num_rows, batch, shape.state_size)]
    if shape.has_cell_state:
        sizes.append((shape.num_rows, batch, shape.cell_size))
    if steps == 0 or (states and [state.shape for state in states] != sizes):
        return None
    if not all(map(Tensor.is_contiguous, states)):
        return None
    output = x.new_empty(steps, batch, shape.output_size)
    finals = [x.new_empty(size) for size in sizes]
    stack = stack_of(shape, weights)
    stack.compiled.forward(
        stack.bound(weights),
        x.numpy(force=True),
        *_two([state.numpy(force=True) for state in states]),
        None,
        [output.numpy()],
        *_two([final.numpy() for final in finals]),
        [],
        [],
        None,
        stack.threads(steps, batch),
    )
    return (output.transpose(0, 1) if layer.batch_first else output, *_two(finals))


def _is_plain(value: object) -> bool:
    return type(value) is Tensor and value.layout is torch.strided


def _two(values: list[Any]) -> tuple[Any, Any]:
    """Of h and c, `None` in the place of what is not there."""
    return (*values, None, None)[:2]
