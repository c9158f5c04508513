"""The GRU layer."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..grid import StackShape, StateGrid
from ._layer_run import Lengths, run_layer, unroll_layer
from ._layer_settings import all_weights, check_settings, layer_repr
from ._quantized_layer import QuantizedLayer
from ._stream import Stream
from ._weights import initialise_weights, register_weights, stack_weights


class GRU(nn.Module):
    """Gated recurrent layers that can show every state; takes the place of `torch.nn.GRU`.

    For every layer and step t, with the input x_t and the state h_(t-1) of the step before:

        r = sigmoid(W_ir x_t + b_ir + W_hr h_(t-1) + b_hr)
        z = sigmoid(W_iz x_t + b_iz + W_hz h_(t-1) + b_hz)
        n = tanh(W_in x_t + b_in + r * (W_hn h_(t-1) + b_hn))
        h_t = (1 - z) * n + z * h_(t-1)

    Source: Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder",
    equations 5 to 8; the reset gate is applied after the product, as in `torch.nn.GRU`. Weights,
    their names and their initial values are those of `torch.nn.GRU`. What differs: `lengths`,
    `unroll`, `stream`, `quantize`, `shape`, and the choice of an engine.

    Args:
        input_size: features of one step of the input.
        hidden_size: units of one layer and direction.
        num_layers: layers stacked; each reads the `output` of the one below.
        bias: whether the products carry biases.
        batch_first: whether `input` and `output` are (batch, step, ...) rather than
            (step, batch, ...). It never applies to the states.
        dropout: probability of zeroing an element of the input of every layer but the first,
            in training.
        bidirectional: whether each layer also runs from the last step to the first.
        device: where the weights are made.
        dtype: their type.

    Raises:
        ValueError: a size or combination that the layer cannot have.

    >>> layer = GRU(3, 4, num_layers=2, bidirectional=True)
    >>> output, hidden_state = layer(torch.zeros(5, 2, 3), lengths=[5, 3])
    >>> tuple(output.shape), tuple(hidden_state.shape)
    ((5, 2, 8), (4, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = check_settings(dropout, num_layers)
        self.bidirectional = bidirectional
        self.mode = "GRU"
        self.shape = StackShape("gru", input_size, hidden_size, num_layers, bidirectional, bias)
        register_weights(self, self.shape, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight anew from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        initialise_weights(self, self.hidden_size)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        lengths: Lengths = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run the stack.

        Args:
            input: (step, batch, input), (batch, step, input) with `batch_first`, (step, input)
                unbatched, or a `PackedSequence`.
            hx: initial hidden states h_0, (num_layers * num_directions, batch, hidden_size);
                zeros when absent.
            lengths: real steps of each sample of a padded input, (batch,); all when absent. Padding
                stands at the end. Nothing needs packing or sorting: the result is what a
                `PackedSequence` would give, with 0 in the padded steps of `output`.

        Returns:
            `output`, the last layer at every step, in the form of the input with
            num_directions * hidden_size features; and `hidden_state` (h_n), every layer
            at the last step its direction computed, shaped as `hx`.

        Raises:
            TypeError: an argument is not of the kind named here.
            ValueError: a rank, size, type, device or length does not fit.
        """
        output, hidden_state, _ = run_layer(self, input, hx, lengths)
        return output, hidden_state

    def unroll(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | None = None,
        lengths: Lengths = None,
    ) -> StateGrid:
        """Run the stack and keep every state.

        The numbers are those of `forward`, and gradients flow through every state. On ragged
        batches in training, dropout between layers draws its own mask.

        Args:
            input: as in `forward`.
            hx: as in `forward`.
            lengths: as in `forward`.

        Returns:
            The states by name: h of every layer, direction and step.

        Raises:
            TypeError: an argument is not of the kind named in `forward`.
            ValueError: a rank, size, type, device or length does not fit.
        """
        return unroll_layer(self, stack_weights(self, self.shape), input, hx, lengths)

    def quantize(
        self, precision: str, samples: Tensor | PackedSequence | None = None
    ) -> QuantizedLayer:
        """The same layer for inference, with weights of a low precision; this one stays as it is.

        Args:
            precision: `"int8"` or `"bf16"`.
            samples: an input as in `forward`, on which the error is measured; noise when absent.

        Returns:
            A module that is called as this one and tells its error against this one.

        Raises:
            RuntimeError: there is no compiled module.
            TypeError: the samples are no tensor.
            ValueError: the precision is none of these, the weights are not float32 on the CPU or
                not finite, or the samples do not fit.
        """
        return QuantizedLayer(self, precision, samples)

    def stream(self, batch_size: int = 1) -> Stream:
        """This layer step by step, as its input comes, with the weights that it has now.

        Args:
            batch_size: samples that run beside each other.

        Raises:
            ValueError: the layer is bidirectional, or there are no samples.
        """
        return Stream(self, batch_size)

    def flatten_parameters(self) -> None:
        """Do nothing: kept so that code written for `torch.nn` runs. cuDNN copies what it needs."""

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, a list per layer and direction, as in `torch.nn`."""
        return all_weights(self, self.shape)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        return layer_repr(self.shape, self.batch_first, self.dropout)
