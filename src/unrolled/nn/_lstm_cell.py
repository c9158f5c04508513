"""One step of the LSTM layer."""

import torch
from torch import Tensor, nn

from ..grid import StackShape
from ._cell_run import cell_repr, register_cell_weights, run_cell
from ._weights import initialise_weights


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
        register_cell_weights(self, self.shape, device, dtype)
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
        hidden, cell = run_cell(self, self.shape, input, hx)
        if cell is None:
            raise RuntimeError("an LSTM step gave no cell state; this is a defect of unrolled.")
        return hidden, cell

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return cell_repr(self.shape)
