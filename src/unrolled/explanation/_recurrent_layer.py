"""Any recurrent layer, PyTorch's own or ours: its shape, and its states on an input."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from .. import nn as ours
from ..errors import UsageError
from ..grid import Cell, StackShape, StateGrid

_CELLS: dict[str, Cell] = {
    "RNN_TANH": "rnn_tanh",
    "RNN_RELU": "rnn_relu",
    "GRU": "gru",
    "LSTM": "lstm",
}
_OURS = (ours.RNN, ours.GRU, ours.LSTM)


def stack_shape(layer: object) -> StackShape:
    """The shape of a layer of `torch.nn` or `unrolled.nn`.

    Raises:
        UsageError: it is no RNN, GRU or LSTM.
    """
    if isinstance(layer, _OURS):
        return layer.shape
    if isinstance(layer, nn.RNNBase):
        return StackShape(
            _CELLS[layer.mode],
            layer.input_size,
            layer.hidden_size,
            layer.num_layers,
            layer.bidirectional,
            layer.bias,
            layer.proj_size,
        )
    raise UsageError(
        f"the layer is of type {type(layer).__name__}; give the RNN, GRU or LSTM itself, of "
        "torch.nn or unrolled.nn, such as model.encoder.lstm"
    )


def run_of_layer(layer: Any, x: Any, lengths: Any) -> StateGrid:
    """Every state of a layer's run on an input.

    Args:
        layer: RNN, GRU or LSTM of `torch.nn` or `unrolled.nn`.
        x: its input, padded, unbatched or packed.
        lengths: real steps of each sample of a padded input; all when absent.

    Raises:
        UsageError: it is no such layer, or its dropout would make each run another one.
    """
    shape = stack_shape(layer)
    if layer.training and layer.dropout > 0:
        raise UsageError(
            f"the layer is in training with dropout={layer.dropout}, so that each run is another "
            "one; call .eval() first"
        )
    # Values are compared to the last bit, so PyTorch's layer is run by PyTorch's operators.
    same_engine = nullcontext() if isinstance(layer, _OURS) else ours.engine("torch")
    with torch.no_grad(), same_engine:
        states: StateGrid = _unrolled(layer, shape).unroll(x, lengths=lengths)
        return states


def _unrolled(layer: Any, shape: StackShape) -> Any:
    """Our layer with the weights of the one given."""
    if isinstance(layer, _OURS):
        return layer
    arguments: dict[str, Any] = {
        "num_layers": shape.num_layers,
        "bias": shape.bias,
        "batch_first": layer.batch_first,
        "bidirectional": shape.bidirectional,
        "device": layer.weight_ih_l0.device,
        "dtype": layer.weight_ih_l0.dtype,
    }
    kind: Any = ours.LSTM if shape.cell == "lstm" else ours.GRU
    if shape.cell == "lstm":
        arguments["proj_size"] = shape.proj_size
    if shape.cell.startswith("rnn"):
        kind = ours.RNN
        arguments["nonlinearity"] = shape.cell.removeprefix("rnn_")
    with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
        made = kind(shape.input_size, shape.hidden_size, **arguments)
    made.load_state_dict(layer.state_dict())
    return made.eval()
