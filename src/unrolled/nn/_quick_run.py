"""The shortest way to a run: of a layer that is called on tensors, without gradients or lengths.

A step of a small layer takes a few microseconds, and to ask all that may be asked of a call takes
many times as long.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ._engine import may_call_kernels
from ._stack_cache import stack_of
from ._stack_call import TopStates
from ._weights import parameters_of

if TYPE_CHECKING:
    from ._layer_run import RecurrentLayer


def run_quickly(layer: "RecurrentLayer", input: Any, hx: Any) -> TopStates | None:
    """`output` and the final states of a run on the kernels.

    Args:
        layer: an `RNN`, `GRU` or `LSTM`.
        input: as it was given to the layer.
        hx: likewise.

    Returns:
        `None` where anything is not as it mostly is: the long way computes that, or refuses it.
    """
    is_watched = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    if is_watched or torch.is_grad_enabled():
        return None
    shape = layer.shape
    states = () if hx is None else hx if shape.has_cell_state else (hx,)
    if not isinstance(states, tuple) or not all(map(_is_plain, (input, *states))):
        return None
    if input.dim() != 3 or input.shape[2] != shape.input_size or input.stride(2) != 1:
        return None
    x = input.transpose(0, 1) if layer.batch_first else input
    steps, batch, _ = x.shape
    sizes = [(shape.num_rows, batch, shape.state_size)]
    if shape.has_cell_state:
        sizes.append((shape.num_rows, batch, shape.cell_size))
    if hx is not None and [state.shape for state in states] != sizes:
        return None
    if steps == 0 or not all(map(Tensor.is_contiguous, states)):
        return None
    weights = parameters_of(layer, shape)  # type: ignore[arg-type]
    if weights is None or (layer.dropout and layer.training):
        return None
    if not may_call_kernels([input, *states, *weights]):
        return None
    output = x.new_empty(steps, batch, shape.output_size)
    finals = [x.new_empty(size) for size in sizes]
    stack_of(shape, weights).forward(
        weights,
        x.numpy(force=True),
        [state.numpy(force=True) for state in states],
        [output.numpy()],
        [final.numpy() for final in finals],
    )
    h_n, c_n, *_ = *finals, None
    return TopStates(output.transpose(0, 1) if layer.batch_first else output, h_n, c_n)


def _is_plain(value: object) -> bool:
    return type(value) is Tensor and value.layout is torch.strided
