"""One way to make and run a layer of any cell."""

from collections.abc import Sequence
from typing import Literal, cast

from torch import Tensor, nn

from ..grid import StackShape
from ..nn import GRU, LSTM, RNN, run_embedded

Stack = RNN | GRU | LSTM


def make_stack(shape: StackShape, dropout: float) -> Stack:
    """A batch-first layer of a shape.

    Args:
        shape: the stack.
        dropout: probability between layers; left out where there is one layer only.
    """
    between = dropout if shape.num_layers > 1 else 0.0
    sizes = (shape.input_size, shape.hidden_size, shape.num_layers)
    if shape.cell == "lstm":
        return LSTM(
            *sizes, shape.bias, True, between, shape.bidirectional, proj_size=shape.proj_size
        )
    if shape.cell == "gru":
        return GRU(*sizes, shape.bias, True, between, shape.bidirectional)
    nonlinearity: Literal["relu", "tanh"] = "relu" if shape.cell == "rnn_relu" else "tanh"
    return RNN(*sizes, nonlinearity, shape.bias, True, between, shape.bidirectional)


def run_on_symbols(
    layer: Stack,
    embedding: nn.Embedding,
    dropout: nn.Module,
    ids: Tensor,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    lengths: Tensor | Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`run_stack` on the embedding of symbols.

    Args:
        layer: what to run.
        embedding: of the symbols.
        dropout: of the embedding; a module of somebody's own is called whatever its mode.
        ids: the symbols, (batch, step).
        hidden: h_0; zeros when absent.
        cell: c_0; zeros when absent.
        lengths: real steps of each sample.
    """
    if type(dropout) is not nn.Dropout or (dropout.training and dropout.p):
        return run_stack(layer, dropout(embedding(ids)), hidden, cell, lengths)
    output, h_n, c_n = run_embedded(layer, embedding, ids, hidden, cell, lengths)
    return cast("Tensor", output), h_n, c_n


def run_stack(
    layer: Stack,
    x: Tensor,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    lengths: Tensor | Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`output`, h_n and c_n of a layer of any cell; c_n is `None` but for an LSTM.

    Args:
        layer: what to run.
        x: its input, (batch, step, input).
        hidden: h_0; zeros when absent.
        cell: c_0; zeros when absent.
        lengths: real steps of each sample.
    """
    if isinstance(layer, LSTM):
        shape, rows = layer.shape, (layer.shape.num_rows, x.shape[0])
        both = None
        if hidden is not None or cell is not None:
            both = (
                x.new_zeros(*rows, shape.state_size) if hidden is None else hidden,
                x.new_zeros(*rows, shape.cell_size) if cell is None else cell,
            )
        output, (h_n, c_n) = layer(x, both, lengths)
        return output, h_n, c_n
    output, h_n = layer(x, hidden, lengths)
    return output, h_n, None
