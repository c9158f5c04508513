"""The torch engine: PyTorch's own recurrent operators, and so oneDNN on CPUs and cuDNN on CUDA.

PyTorch's operators give `output` and the final states only. What they do not give is made here:
ragged batches and every state of the grid.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import _VF, Tensor
from torch._compile import _disable_dynamo
from torch.nn.functional import dropout as zero_some
from torch.nn.functional import linear
from torch.nn.utils.rnn import pack_padded_sequence

from ..grid import Cell, StackShape
from ._equations import lstm_gates
from ._packed import present, unpack_padded
from ._stack_call import StackCall, StackStates, TopStates
from ._turn import turn
from ._weights import LayerWeights

# Large enough that a sigmoid is exactly 0 or 1 in every float type, small enough for float16.
_SHUT = 1e4


class _Plane(NamedTuple):
    """One layer and direction over time, in the order of the input."""

    hidden: Float[Tensor, "step batch hidden"]
    final_hidden: Float[Tensor, "batch hidden"]
    final_cell: Float[Tensor, "batch cell"] | None


def run(call: StackCall) -> TopStates:
    """`output` and the final states of a run.

    A ragged LSTM in float32 on a CPU runs padded, layer by layer: oneDNN computes padded LSTMs
    only, and PyTorch's packed LSTM is slower than the padding costs. Everything else that is
    ragged runs packed, at the cost of its real steps.

    Args:
        call: the run.
    """
    if call.lengths is None:
        flat = [weight for row in call.weights for weight in row.present()]
        return _operator(call.shape, call.x, call.h0, call.c0, flat, call.dropout, call.training)
    return run_padded(call) if _is_onednn(call) else _run_packed(call, call.lengths)


def run_sequence(
    shape: StackShape,
    weights: list[LayerWeights],
    data: Float[Tensor, "real_step input"],
    batch_sizes: Int[Tensor, " step"],
    h0: Float[Tensor, "row batch hidden"],
    c0: Float[Tensor, "row batch cell"] | None,
    *,
    dropout: float,
    training: bool,
) -> TopStates:
    """A run over packed data; `output` is packed data too.

    Args:
        shape: the stack.
        weights: one `LayerWeights` per row of `hidden_state`.
        data: as in `PackedSequence.data`.
        batch_sizes: samples alive at each step.
        h0: initial hidden states, in the packed order of the samples.
        c0: initial cell states likewise.
        dropout: probability of zeroing an element between layers.
        training: whether dropout is active.
    """
    flat = [weight for row in weights for weight in row.present()]
    state = h0 if c0 is None else (h0, c0)
    settings = _settings(shape, dropout, training)
    operator = _operator_of(shape.cell)
    return TopStates(*_three(operator(data, batch_sizes, state, flat, *settings)))


def run_padded(call: StackCall) -> TopStates:
    """A ragged run, layer by layer and direction by direction, on padded tensors.

    Args:
        call: the run.
    """
    planes = _planes(call)
    top = planes[-call.shape.num_directions :]
    output = torch.cat([plane.hidden for plane in top], dim=-1)
    real = call.real_steps()
    cells = [plane.final_cell for plane in planes if plane.final_cell is not None]
    return TopStates(
        output if real is None else output.where(real[..., None], 0),
        torch.stack([plane.final_hidden for plane in planes]),
        torch.stack(cells) if cells else None,
    )


def unroll(call: StackCall) -> StackStates:
    """Every state of a run.

    h of every layer is what the operator of one layer returns. c of an LSTM is computed again
    from the h's: with all of them known, the gates of all steps are one product, and what is left
    of the recurrence is elementwise.

    Args:
        call: the run.
    """
    cells: list[Tensor] = []
    planes = _planes(call, cells)
    hidden = call.grid_of_planes([plane.hidden for plane in planes])
    return StackStates(hidden, call.grid_of_planes(cells) if cells else None)


def _planes(call: StackCall, cells: list[Tensor] | None = None) -> list[_Plane]:
    """Run layer by layer and direction by direction; `cells` receives c of every row."""
    shape, lengths = call.shape, call.lengths
    real = call.real_steps()
    layer_input = call.x if real is None else call.x.where(real[..., None], 0)
    planes: list[_Plane] = []
    for layer in range(shape.num_layers):
        layer_planes = []
        for direction in shape.directions:
            row = shape.row(layer, direction)
            turned = direction == "reverse"
            x = turn(layer_input, lengths) if turned else layer_input
            h0, c0 = call.h0[row], None if call.c0 is None else call.c0[row]
            plane = _one_row(shape, x, h0, c0, call.weights[row], real, lengths)
            if cells is not None and c0 is not None:
                cell = _all_cells(x, plane.hidden, h0, c0, call.weights[row])
                cells.append(turn(cell, lengths) if turned else cell)
            if turned:
                plane = plane._replace(hidden=turn(plane.hidden, lengths))
            layer_planes.append(plane)
        planes += layer_planes
        layer_input = torch.cat([plane.hidden for plane in layer_planes], dim=-1)
        if call.dropout and call.training and layer < shape.num_layers - 1:
            layer_input = zero_some(layer_input, call.dropout, training=True)
    return planes


def _one_row(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    weights: LayerWeights,
    real: Tensor | None,
    lengths: Tensor | None,
) -> _Plane:
    """One layer in one direction, forward in time over `x`."""
    if real is not None and shape.cell in ("lstm", "rnn_relu"):
        x, weights = _with_padding_channel(shape, x, weights, real)
    one = StackShape(
        shape.cell, x.shape[-1], shape.hidden_size, bias=shape.bias, proj_size=shape.proj_size
    )
    states = None if c0 is None else c0[None]
    output, h_n, c_n = _operator(one, x, h0[None], states, weights.present(), 0.0, False)
    if lengths is None:
        return _Plane(output, h_n.squeeze(0), None if c_n is None else c_n.squeeze(0))
    samples = torch.arange(output.shape[1], device=output.device)
    final = output[lengths.to(output.device) - 1, samples]
    return _Plane(output, final, None if c_n is None else c_n.squeeze(0))


def _with_padding_channel(
    shape: StackShape, x: Tensor, weights: LayerWeights, real: Tensor
) -> tuple[Tensor, LayerWeights]:
    """Add an input feature that is 1 in the padding, with weights that make padding harmless.

    In an LSTM the feature shuts the input gate and holds the forget gate open, so that c goes
    through the padding unchanged and the operator's final c is that of each sample's last real
    step. In a ReLU network it holds h at 0, which would otherwise be free to grow beyond bounds
    and turn the zero gradients of the padding into NaN.
    """
    hidden = shape.hidden_size
    column = x.new_zeros(weights.weight_ih.shape[0], 1)
    if shape.cell == "lstm":
        column[:hidden] = -_SHUT
        column[hidden : 2 * hidden] = _SHUT
    else:
        column[:] = -_SHUT
    padding = (~real).to(x.dtype)[..., None]
    return (
        torch.cat([x, padding], dim=-1),
        weights._replace(weight_ih=torch.cat([weights.weight_ih, column], dim=-1)),
    )


def _all_cells(
    x: Float[Tensor, "step batch input"],
    hidden: Float[Tensor, "step batch hidden"],
    h0: Tensor,
    c0: Tensor,
    weights: LayerWeights,
) -> Float[Tensor, "step batch cell"]:
    before = torch.cat([h0[None], hidden[:-1]])
    gates = linear(x, weights.weight_ih, weights.bias_ih) + linear(
        before, weights.weight_hh, weights.bias_hh
    )
    cells = []
    cell = c0
    for step_gates in gates.unbind():
        _, cell = lstm_gates(step_gates, cell)
        cells.append(cell)
    return torch.stack(cells)


def _is_onednn(call: StackCall) -> bool:
    """Whether PyTorch computes the padded run with oneDNN."""
    plain_lstm = call.shape.cell == "lstm" and not call.shape.proj_size
    return plain_lstm and call.x.dtype == torch.float32 and call.x.device.type == "cpu"


def _run_packed(call: StackCall, lengths: Tensor) -> TopStates:
    packed = pack_padded_sequence(call.x, lengths.cpu(), enforce_sorted=False)
    order, back = present(packed.sorted_indices), present(packed.unsorted_indices)
    data, hidden, cell = run_sequence(
        call.shape,
        call.weights,
        packed.data,
        packed.batch_sizes,
        call.h0.index_select(1, order),
        None if call.c0 is None else call.c0.index_select(1, order),
        dropout=call.dropout,
        training=call.training,
    )
    return TopStates(
        unpack_padded(data, packed.batch_sizes, back, call.x.shape[0]),
        hidden.index_select(1, back),
        None if cell is None else cell.index_select(1, back),
    )


_OPERATORS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "rnn_tanh": _VF.rnn_tanh,
    "rnn_relu": _VF.rnn_relu,
    "gru": _VF.gru,
    "lstm": _VF.lstm,
}


# torch.compile cannot trace PyTorch's LSTM for training; torch.nn.LSTM leaves its graph there too.
# `torch.compiler.disable` says the same but imports the compiler at once, which takes as long as
# importing PyTorch; this one imports it at the first call.
@_disable_dynamo
def _eager_lstm(*arguments: Any) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = _VF.lstm(*arguments)
    return found


def _operator_of(cell: Cell) -> Callable[..., tuple[Tensor, ...]]:
    if cell == "lstm" and torch.compiler.is_dynamo_compiling():
        return _eager_lstm
    return _OPERATORS[cell]


def _operator(
    shape: StackShape,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    weights: list[Tensor],
    dropout_between: float,
    training: bool,
) -> TopStates:
    state = h0 if c0 is None else (h0, c0)
    settings = _settings(shape, dropout_between, training)
    return TopStates(*_three(_operator_of(shape.cell)(x, state, weights, *settings, False)))


def _settings(
    shape: StackShape, dropout_between: float, training: bool
) -> tuple[bool, int, float, bool, bool]:
    return (shape.bias, shape.num_layers, dropout_between, training, shape.bidirectional)


def _three(result: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor | None]:
    return (*result, None) if len(result) == 2 else result  # type: ignore[return-value]
