"""Running a layer step by step, as its input comes."""

import copy
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..kernels import recurrent_stream
from ._checks import check_input, check_size
from ._engine import uses_kernels
from ._layer_run import LowPrecisionLayer, RecurrentLayer, check_layer
from ._layer_settings import layer_repr
from ._stack_cache import readable
from ._weights import stack_weights


class Stream:
    """A layer that is given one step of the input after the other.

    It keeps every layer's state between the steps, so that what `push` returns is what the whole
    run would have at that step. Nothing is recorded for gradients. The weights are those of the
    moment the stream was made, and so is the engine.

    The method `stream` of a layer makes one.

    Args:
        layer: a layer of one direction, quantized or not; its dropout is never active here.
        batch_size: samples that run beside each other.

    Raises:
        RuntimeError: the layer is quantized and the kernels are not in use.
        TypeError: the layer is none, or the number of samples no integer.
        ValueError: the layer is bidirectional, or there are no samples.

    >>> from unrolled.nn import GRU
    >>> layer = GRU(3, 4, num_layers=2)
    >>> x = torch.randn(5, 1, 3)
    >>> stream = layer.stream()
    >>> steps = [stream.push(x_t).clone() for x_t in x]
    >>> torch.allclose(torch.stack(steps), layer(x)[0], atol=1e-6)
    True
    """

    def __init__(self, layer: RecurrentLayer, batch_size: int = 1) -> None:
        check_layer(layer)
        if layer.shape.bidirectional:
            raise ValueError(
                "the layer is bidirectional, and its reverse direction begins with the last step, "
                "which a stream has not seen; use a layer of one direction."
            )
        check_size(batch_size, "batch_size")
        shape, precision = layer.shape, "fp32"
        is_quantized = isinstance(layer, LowPrecisionLayer)
        if isinstance(layer, LowPrecisionLayer):
            layer.check_use()
            like, rows, precision = layer.like, layer.weights_by_row(), layer.precision
        else:
            present = stack_weights(cast("nn.Module", layer), shape)
            like, rows = present[0].weight_ih.detach(), [row.present() for row in present]
        self.shape = shape
        self.batch_size = batch_size
        self._precision = precision
        self._like = like
        with torch.inference_mode(False):  # or no push outside of it could write them
            self._hidden = like.new_zeros(shape.num_layers, batch_size, shape.state_size)
            self._cell = None
            if shape.has_cell_state:
                self._cell = like.new_zeros(shape.num_layers, batch_size, shape.cell_size)
            self._x = like.new_zeros(1, batch_size, shape.input_size)
            self._outputs = [
                like.new_zeros(1, batch_size, shape.state_size) for _ in range(shape.num_layers)
            ]
        self._here, self._top = self._x[0], self._outputs[-1][0]
        self._form = (self._here.shape, like.dtype, like.device, torch.strided)
        self._layer: nn.Module | None = None
        self._native: Any = None
        if is_quantized or uses_kernels([w for row in rows for w in row]):
            self._native = recurrent_stream(
                shape,
                [[readable(weight) for weight in row] for row in rows],
                self._x,
                self._hidden,
                self._cell,
                self._outputs,
                torch.get_num_threads(),
                precision,
            )
        else:
            layer = copy.deepcopy(layer)
            layer.batch_first = False
            self._layer = cast("nn.Module", layer).eval()

    def __repr__(self) -> str:
        sizes = layer_repr(self.shape, batch_first=False, dropout=0.0)
        low = "" if self._precision == "fp32" else f", precision={self._precision!r}"
        return f"Stream({self.shape.cell}, {sizes}, batch_size={self.batch_size}{low})"

    @property
    def hidden_state(self) -> Float[Tensor, "layer batch hidden"]:
        """H of every layer after the last step; a copy."""
        return self._hidden.clone()

    @property
    def cell_state(self) -> Float[Tensor, "layer batch cell"] | None:
        """C of every layer after the last step, a copy; `None` but for an LSTM."""
        return None if self._cell is None else self._cell.clone()

    def push(self, x: Float[Tensor, "batch input"]) -> Float[Tensor, "batch hidden"]:
        """Run one step.

        Args:
            x: the input of this step, (batch, input).

        Returns:
            h of the last layer, (batch, hidden). The next `push` writes over it: clone it to keep
            it.

        Raises:
            TypeError: it is no tensor.
            ValueError: its rank, size, type or device does not fit.
        """
        if not self._is_as_expected(x):
            check_input(x, size=self.shape.input_size, name="x", like=self._like, ranks=(2,))
            if x.shape[0] != self.batch_size:
                raise ValueError(
                    f"x has {x.shape[0]} samples, shape {tuple(x.shape)}; this stream was made for "
                    f"{self.batch_size}."
                )
        self._here.copy_(x.detach() if x.requires_grad else x)
        if self._native is not None:
            self._native.step()
        else:
            self._step_by_layer()
        return self._top

    @torch.no_grad()
    def reset(self) -> None:
        """Go back to the start: states of zeros."""
        self._hidden.zero_()
        if self._cell is not None:
            self._cell.zero_()

    def _is_as_expected(self, x: object) -> bool:
        """Whether `check_input` would say nothing; all that takes less time than a small step."""
        return type(x) is Tensor and (x.shape, x.dtype, x.device, x.layout) == self._form

    @torch.no_grad()
    def _step_by_layer(self) -> None:
        layer = cast("nn.Module", self._layer)
        if self._cell is not None:
            output, (hidden, cell) = layer(self._x, (self._hidden, self._cell))
            self._cell.copy_(cell)
        else:
            output, hidden = layer(self._x, self._hidden)
        self._hidden.copy_(hidden)
        self._outputs[-1].copy_(output)
