"""Any recurrent layer, PyTorch's own or ours: its shape, and its states on an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from .. import nn as ours
from ..errors import UsageError
from ..grid import Cell, StackShape, StateGrid
from ..nn import _torch_engine
from ..nn._engine import Engine
from ..nn._layer_run import unroll_layer
from ..nn._weights import stack_weights

_CELLS: dict[str, Cell] = {
    "RNN_TANH": "rnn_tanh",
    "RNN_RELU": "rnn_relu",
    "GRU": "gru",
    "LSTM": "lstm",
}
_OURS = (ours.RNN, ours.GRU, ours.LSTM)
_TORCH = Engine("torch", _torch_engine.run, _torch_engine.unroll)


@dataclass(slots=True)
class _Described:
    """What of PyTorch's layer a run asks for, beside its weights; without dropout."""

    shape: StackShape
    batch_first: bool
    dropout: float = 0.0
    training: bool = False


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


def run_of_layer(
    layer: Any, x: Any, lengths: Any, hx: Any = None, *, at_rest: bool = False
) -> StateGrid:
    """Every state of a layer's run on an input.

    Args:
        layer: RNN, GRU or LSTM of `torch.nn` or `unrolled.nn`.
        x: its input, padded, unbatched or packed.
        lengths: real steps of each sample of a padded input; all when absent.
        hx: its initial state, as the layer takes it; zeros when absent.
        at_rest: whether to leave its dropout out, in place of refusing a layer in training.

    Raises:
        UsageError: it is no such layer, or its dropout would make each run another one.
    """
    shape = stack_shape(layer)
    if layer.training and layer.dropout > 0 and not at_rest:
        raise UsageError(
            f"the layer is in training with dropout={layer.dropout}, so that each run is another "
            "one; call .eval() first"
        )
    # Values are compared to the last bit, so PyTorch's layer is run by PyTorch's operators: in this
    # call alone, whatever engine other threads use meanwhile.
    engine = None if isinstance(layer, _OURS) else _TORCH
    weights = stack_weights(layer, shape)
    described = _Described(shape, layer.batch_first)
    with torch.no_grad():
        return unroll_layer(described, weights, x, hx, lengths, engine=engine)


def time_first(layer: Any, x: Any) -> Tensor:
    """A layer's input as (step, batch, input), whatever form it has.

    Args:
        layer: as in `run_of_layer`.
        x: its input, padded, unbatched or packed.
    """
    if isinstance(x, PackedSequence):
        return pad_packed_sequence(x)[0]
    given: Tensor = x
    if given.dim() == 2:
        return given.unsqueeze(1)
    return given.transpose(0, 1) if layer.batch_first else given
