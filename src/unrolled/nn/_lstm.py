"""The LSTM layer."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..grid import StackShape, StateGrid
from ._layer_run import Lengths, run_layer, unroll_layer
from ._layer_settings import all_weights, check_settings, layer_repr
from ._quantized_layer import QuantizedLayer
from ._stream import Stream
from ._weights import initialise_weights, register_weights, stack_weights


class LSTM(nn.Module):
    """A stack of LSTM layers that can show every state; takes the place of `torch.nn.LSTM`.

    For every layer and step t, with the input x_t and the states of the step before:

        i = sigmoid(W_ii x_t + b_ii + W_hi h_(t-1) + b_hi)
        f = sigmoid(W_if x_t + b_if + W_hf h_(t-1) + b_hf)
        g = tanh(W_ig x_t + b_ig + W_hg h_(t-1) + b_hg)
        o = sigmoid(W_io x_t + b_io + W_ho h_(t-1) + b_ho)
        c_t = f * c_(t-1) + i * g
        h_t = o * tanh(c_t), multiplied by W_hr when projected

    Source: Hochreiter and Schmidhuber (1997), "Long short-term memory", with the forget gate of
    Gers et al. (2000); the projection is that of Sak et al. (2014), section 2. Weights, their names
    and their initial values are those of `torch.nn.LSTM`. What differs: `lengths`, `unroll`,
    `stream`, `quantize`, `shape`, and the choice of an engine.

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
        proj_size: size that h is projected to; 0 for no projection. c keeps `hidden_size`.
        device: where the weights are made.
        dtype: their type.

    Raises:
        ValueError: a size or combination that the layer cannot have.

    >>> layer = LSTM(3, 4, num_layers=2)
    >>> output, (hidden_state, cell_state) = layer(torch.zeros(5, 2, 3))
    >>> tuple(output.shape), tuple(cell_state.shape)
    ((5, 2, 4), (2, 2, 4))
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
        proj_size: int = 0,
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
        self.proj_size = proj_size
        self.mode = "LSTM"
        self.shape = StackShape(
            "lstm", input_size, hidden_size, num_layers, bidirectional, bias, proj_size
        )
        register_weights(self, self.shape, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight anew from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        initialise_weights(self, self.hidden_size)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Tensor, Tensor] | None = None,
        lengths: Lengths = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """Run the stack.

        Args:
            input: (step, batch, input), (batch, step, input) with `batch_first`, (step, input)
                unbatched, or a `PackedSequence`.
            hx: initial states (h_0, c_0), each (num_layers * num_directions, batch, size) where
                size is `proj_size or hidden_size` for h_0 and `hidden_size` for c_0; zeros when
                absent.
            lengths: real steps of each sample of a padded input, (batch,); all when absent. Padding
                stands at the end. Nothing needs packing or sorting: the result is what a
                `PackedSequence` would give, with 0 in the padded steps of `output`.

        Returns:
            `output`, the last layer at every step, in the form of the input with
            num_directions * (proj_size or hidden_size) features; and `(hidden_state, cell_state)`
            (h_n, c_n), every layer at the last step its direction computed, shaped as `hx`.

        Raises:
            TypeError: an argument is not of the kind named here.
            ValueError: a rank, size, type, device or length does not fit.
        """
        output, hidden_state, cell_state = run_layer(self, input, hx, lengths)
        if cell_state is None:
            raise RuntimeError("the engine returned no cell state for an LSTM; this is a defect.")
        return output, (hidden_state, cell_state)

    def unroll(
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Tensor, Tensor] | None = None,
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
            The states by name: h and c of every layer, direction and step.

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
