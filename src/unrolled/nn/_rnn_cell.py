"""One step of the simple recurrent layer."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..grid import StackShape
from ._cell_run import cell_repr, register_cell_weights, run_cell
from ._layer_settings import cell_of
from ._weights import initialise_weights


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
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.nonlinearity = nonlinearity
        register_cell_weights(self, self.shape, device, dtype)
        self.reset_parameters()

    @property
    def shape(self) -> StackShape:
        """Cell and sizes, as a stack of one layer."""
        cell = cell_of(self.nonlinearity)
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
        return run_cell(self, self.shape, input, hx).hidden

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        tail = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}"
        return cell_repr(self.shape) + tail
