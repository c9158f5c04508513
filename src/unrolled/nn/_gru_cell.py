"""One step of the GRU layer."""

import torch
from torch import Tensor, nn

from ..grid import StackShape
from ._cell_run import cell_repr, register_cell_weights, run_cell
from ._weights import initialise_weights


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
        register_cell_weights(self, self.shape, device, dtype)
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
        return run_cell(self, self.shape, input, hx).hidden

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return cell_repr(self.shape)
