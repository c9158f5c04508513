"""One step of one layer as a module."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import _VF, Tensor, nn

from ..grid import Cell, StackShape
from ._checks import check_initial_state, check_input
from ._engine import current_engine
from ._equations import CellState, cell_step
from ._weights import LayerWeights, initialise_weights

_OPERATORS: dict[Cell, Callable[..., Tensor | tuple[Tensor, Tensor]]] = {
    "rnn_tanh": _VF.rnn_tanh_cell,
    "rnn_relu": _VF.rnn_relu_cell,
    "gru": _VF.gru_cell,
    "lstm": _VF.lstm_cell,
}


class _CellResult(NamedTuple):
    hidden: Tensor
    cell: Tensor | None


class RNNCell(nn.Module):
    """One step of `RNN`; takes the place of `torch.nn.RNNCell`.

        h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(0, .) of the same

    Source: Elman (1990), "Finding structure in time".

    Args:
        input_size: features of the input.
        hidden_size: units.
        bias: whether the products carry biases.
        nonlinearity: `"tanh"` or `"relu"`.
        device: where the weights are made.
        dtype: their type.

    Raises:
        ValueError: a size or the nonlinearity is not possible.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'.")
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.nonlinearity = nonlinearity
        _register(self, self.shape, device, dtype)
        self.reset_parameters()

    @property
    def shape(self) -> StackShape:
        """Cell and sizes, as a stack of one layer."""
        cell: Cell = "rnn_relu" if self.nonlinearity == "relu" else "rnn_tanh"
        return StackShape(cell, self.input_size, self.hidden_size, bias=self.bias)

    def reset_parameters(self) -> None:
        """Draw every weight anew from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        initialise_weights(self, self.hidden_size)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """H of this step.

        Args:
            input: (batch, input) or (input,).
            hx: h of the step before, (batch, hidden) or (hidden,); zeros when absent.

        Raises:
            TypeError: an argument is not a tensor.
            ValueError: a rank, size, type or device does not fit.
        """
        return _step(self, self.shape, input, hx).hidden

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        tail = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        return _cell_repr(self.shape) + tail


class GRUCell(nn.Module):
    """One step of `GRU`; takes the place of `torch.nn.GRUCell`.

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
        h' = (1 - z) * n + z * h

    Source: Cho et al. (2014), equations 5 to 8, the reset gate applied after the product.

    Args:
        input_size: features of the input.
        hidden_size: units.
        bias: whether the products carry biases.
        device: where the weights are made.
        dtype: their type.

    Raises:
        ValueError: a size is not possible.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        _register(self, self.shape, device, dtype)
        self.reset_parameters()

    @property
    def shape(self) -> StackShape:
        """Cell and sizes, as a stack of one layer."""
        return StackShape("gru", self.input_size, self.hidden_size, bias=self.bias)

    def reset_parameters(self) -> None:
        """Draw every weight anew from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        initialise_weights(self, self.hidden_size)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """H of this step.

        Args:
            input: (batch, input) or (input,).
            hx: h of the step before, (batch, hidden) or (hidden,); zeros when absent.

        Raises:
            TypeError: an argument is not a tensor.
            ValueError: a rank, size, type or device does not fit.
        """
        return _step(self, self.shape, input, hx).hidden

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return _cell_repr(self.shape)


class LSTMCell(nn.Module):
    """One step of `LSTM`; takes the place of `torch.nn.LSTMCell`.

        i, f, o = sigmoid(W_i. x + b_i. + W_h. h + b_h.), g = tanh of the like
        c' = f * c + i * g
        h' = o * tanh(c')

    Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    Args:
        input_size: features of the input.
        hidden_size: units.
        bias: whether the products carry biases.
        device: where the weights are made.
        dtype: their type.

    Raises:
        ValueError: a size is not possible.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        _register(self, self.shape, device, dtype)
        self.reset_parameters()

    @property
    def shape(self) -> StackShape:
        """Cell and sizes, as a stack of one layer."""
        return StackShape("lstm", self.input_size, self.hidden_size, bias=self.bias)

    def reset_parameters(self) -> None:
        """Draw every weight anew from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        initialise_weights(self, self.hidden_size)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """H and c of this step.

        Args:
            input: (batch, input) or (input,).
            hx: (h, c) of the step before, each (batch, hidden) or (hidden,); zeros when absent.

        Raises:
            TypeError: an argument is not a tensor, or not a pair of them.
            ValueError: a rank, size, type or device does not fit.
        """
        hidden, cell = _step(self, self.shape, input, hx)
        if cell is None:
            raise RuntimeError("an LSTM step gave no cell state; this is a defect of unrolled.")
        return hidden, cell

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return _cell_repr(self.shape)


def _register(
    module: nn.Module,
    shape: StackShape,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> None:
    gates = shape.num_gates * shape.hidden_size
    sizes: dict[str, tuple[int, ...]] = {
        "weight_ih": (gates, shape.input_size),
        "weight_hh": (gates, shape.hidden_size),
        "bias_ih": (gates,),
        "bias_hh": (gates,),
    }
    for name, size in sizes.items():
        if name.startswith("bias") and not shape.bias:
            module.register_parameter(name, None)
        else:
            empty = torch.empty(size, device=device, dtype=dtype)
            module.register_parameter(name, nn.Parameter(empty))


def _step(
    module: nn.Module,
    shape: StackShape,
    input: Tensor,
    hx: Tensor | tuple[Tensor, Tensor] | None,
) -> _CellResult:
    weights = LayerWeights(
        **{name: getattr(module, name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    check_input(input, size=shape.input_size, like=weights.weight_ih, ranks=(1, 2))
    batched = input.dim() == 2
    x = input if batched else input.unsqueeze(0)
    if hx is None:
        hidden = x.new_zeros(x.shape[0], shape.hidden_size)
        cell = x.new_zeros(x.shape[0], shape.hidden_size) if shape.has_cell_state else None
    else:
        rows: object = (
            tuple(state.unsqueeze(0) for state in hx)
            if isinstance(hx, (tuple, list))
            else hx.unsqueeze(0)
        )
        batch = x.shape[0] if batched else None
        h0, c0 = check_initial_state(rows, shape=shape, batch=batch, like=weights.weight_ih)
        hidden = h0.squeeze(0) if batched else h0
        cell = None if c0 is None else c0.squeeze(0) if batched else c0
    if current_engine().engine.name == "torch":
        state = hidden if cell is None else (hidden, cell)
        found = _OPERATORS[shape.cell](x, state, *weights[:4])
        new = CellState(*found) if isinstance(found, tuple) else CellState(found)
    else:
        new = cell_step(shape.cell, x, CellState(hidden, cell), weights)
    if batched:
        return _CellResult(new.hidden, new.cell)
    return _CellResult(new.hidden.squeeze(0), None if new.cell is None else new.cell.squeeze(0))


def _cell_repr(shape: StackShape) -> str:
    return f"{shape.input_size}, {shape.hidden_size}" + ("" if shape.bias else ", bias=False")
