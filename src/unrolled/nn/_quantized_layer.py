"""A recurrent layer with weights of a low precision, for inference."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..grid import StackShape, StateGrid
from ..kernels import why_unavailable
from ._engine import Engine, current_engine
from ._kept import Kept, Wanted, by_name
from ._kernel_use import is_plain, why_not_compiled
from ._layer_run import Lengths, RecurrentLayer, check_layer, run_with_weights, unroll_layer
from ._layer_settings import layer_repr
from ._low_precision import PRECISIONS, WEIGHT_TYPES, Precision, low_weight
from ._native_call import compute, compute_top
from ._native_engine import states_of
from ._native_op import recurrent_quantized, sizes_of
from ._quantization_report import QuantizationReport, StateError
from ._stack_call import StackCall, StackStates, TopStates
from ._stream import Stream
from ._weights import LayerWeights, stack_weights, weight_names

_PROBE_STEPS, _PROBE_SAMPLES = 32, 8
# So many products of two int8 fit a sum of 32 bits.
_MOST_FEATURES = 133_000


class QuantizedLayer(nn.Module):
    """What `layer.quantize(precision)` makes: the same layer, for inference, with smaller weights.

    It is called as the layer it was made of, and is not changed by what happens to that. It is a
    module of its own, so the float32 layer can still be trained and compared with it. States,
    biases and the equations of the cells are float32 in both precisions:

    - `"bf16"`: weights are rounded to bfloat16. Where the processor has AVX-512-BF16, h and the
      input are, too, in the products.
    - `"int8"`: each row of a weight is whole numbers from -127 to 127 times a scale. At every step
      h and the input of a sample become the same with a scale of their own, from their largest
      element; sums of their products are exact, and are scaled to float32. A sample with an
      element that is not finite gives NaN from that step on.

    The weights are buffers under the names of the parameters they were made of, and the scales of
    int8 beside them (`weight_ih_l0_scale`), so `state_dict`, `load_state_dict` and `copy.deepcopy`
    work; there are no parameters. It runs on the compiled kernels only.

    Args:
        layer: an `RNN`, `GRU` or `LSTM` of float32 on the CPU.
        precision: `"bf16"` or `"int8"`.
        samples: an input as the layer takes it, on which the error is measured; standard normal
            noise, 8 samples of 32 steps, when absent.

    Raises:
        RuntimeError: there is no compiled module.
        TypeError: the layer is none, or the samples are no tensor.
        ValueError: the precision is none of these, the weights are not float32 on the CPU or not
            finite, or the samples do not fit.

    >>> from unrolled.nn import GRU
    >>> small = GRU(3, 4).quantize("int8")
    >>> output, hidden_state = small(torch.zeros(5, 2, 3))
    >>> tuple(output.shape), small.weight_ih_l0.dtype
    ((5, 2, 4), torch.int8)
    """

    error: Tensor
    probe: Tensor

    def __init__(
        self,
        layer: nn.Module,
        precision: str,
        samples: Tensor | PackedSequence | None = None,
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            known = " or ".join(map(repr, PRECISIONS))
            raise ValueError(f"precision is {precision!r}; a layer is quantized to {known}.")
        reason = why_unavailable()
        if reason is not None:
            raise RuntimeError(
                f"a quantized layer runs on the compiled kernels only, but {reason}."
            )
        source = check_layer(layer)
        self.precision: Precision = precision
        self.shape: StackShape = source.shape
        self.batch_first = source.batch_first
        self.dropout = 0.0  # of inference
        weights = stack_weights(layer, self.shape)
        self._check_source(weights)
        with torch.no_grad():
            self._register(weights)
            states = 1 + self.shape.num_rows * (2 if self.shape.has_cell_state else 1)
            self.register_buffer("error", torch.zeros(states, 2))
            self.register_buffer("probe", torch.zeros(3, dtype=torch.int64))
            self.eval()
            self._measure(layer, samples)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | tuple[Tensor, Tensor] | None = None,
        lengths: Lengths = None,
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, Tensor]]:
        """Run the stack.

        Args:
            input: as the float32 layer takes it.
            hx: likewise.
            lengths: likewise.

        Returns:
            What the float32 layer returns.

        Raises:
            RuntimeError: the layer is in training mode, a gradient is asked for, or the kernels are
                not in use.
            TypeError: an argument is not of the kind that the float32 layer takes.
            ValueError: a rank, size, type, device or length does not fit.
        """
        self.check_use()
        output, hidden, cell = run_with_weights(
            self, [], input, hx, lengths, self.engine, self.like
        )
        return output, hidden if cell is None else (hidden, cell)

    def unroll(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | tuple[Tensor, Tensor] | None = None,
        lengths: Lengths = None,
    ) -> StateGrid:
        """Run the stack and keep every state.

        Args:
            input: as the float32 layer takes it.
            hx: likewise.
            lengths: likewise.

        Raises:
            RuntimeError, TypeError, ValueError: as in `forward`.
        """
        self.check_use()
        return unroll_layer(self, [], input, hx, lengths, self.engine, self.like)

    def stream(self, batch_size: int = 1) -> Stream:
        """This layer step by step, as its input comes, with the weights that it has now.

        Args:
            batch_size: samples that run beside each other.

        Raises:
            RuntimeError: the kernels are not in use.
            ValueError: the layer is bidirectional, or there are no samples.
        """
        return Stream(self, batch_size)

    @property
    def like(self) -> Tensor:
        """A tensor of the type and device that an input must have."""
        return self.error

    @property
    def engine(self) -> Engine:
        """Who computes this layer: the kernels, whatever the engine in use is."""
        return Engine("native", self._run, self._unroll)

    @property
    def report(self) -> QuantizationReport:
        """The errors against the float32 layer, measured when this one was made."""
        steps, samples, given = self.probe.tolist()
        probe = f"{samples} sample{'s' * (samples != 1)} of {steps} step{'s' * (steps != 1)}"
        probe += ", given" if given else " of noise"
        kinds = ("h", "c") if self.shape.has_cell_state else ("h",)
        names = [
            f"{kind}[layer={layer}, {direction}]"
            for kind in kinds
            for layer, direction in self.shape.rows()
        ]
        output, *states = (
            StateError(name, largest, mean)
            for name, (largest, mean) in zip(["output", *names], self.error.tolist(), strict=True)
        )
        return QuantizationReport(self.precision, probe, output, tuple(states))

    def weights_by_row(self) -> list[list[Tensor]]:
        """The weights of each row of `hidden_state`, the scales of int8 last."""
        return [[getattr(self, name) for name in self._names(*row)] for row in self.shape.rows()]

    def check_use(self) -> None:
        """Refuse a run that this layer cannot make.

        Raises:
            RuntimeError: the layer is in training mode, or the kernels are not in use.
            ValueError: the buffers were moved or converted.
        """
        if self.training:
            raise RuntimeError(
                f"this layer is quantized to {self.precision}, for inference only; call .eval() on "
                "it, or train the float32 layer it was made of and quantize that again."
            )
        choice = current_engine()
        if choice.engine.name != "native":
            raise RuntimeError(
                f"a quantized layer runs on the compiled kernels only, and the engine in use is "
                f"{choice.engine.name!r} ({choice.reason}); use unrolled.engine('native') or the "
                "float32 layer."
            )
        for layer, direction in self.shape.rows():
            for name in self._names(layer, direction):
                found, expected = getattr(self, name), self._type_of(name)
                if found.dtype != expected or found.device.type != "cpu":
                    raise ValueError(
                        f"{name} is {found.dtype} on {found.device}; a layer quantized to "
                        f"{self.precision} keeps it as {expected} on the CPU: do not convert or "
                        "move it, quantize the float32 layer instead."
                    )

    def extra_repr(self) -> str:
        """Cell, sizes, precision and the error of `output`."""
        sizes = layer_repr(self.shape, self.batch_first, 0.0)
        return f"{self.shape.cell}, {sizes}, precision={self.precision!r}, {self.report.sentence}"

    def _names(self, layer: int, direction: str) -> list[str]:
        names = weight_names(self.shape, layer, "reverse" if direction == "reverse" else "forward")
        scaled = [name for name in names if name.startswith("weight")]
        return names + [name + "_scale" for name in scaled if self.precision == "int8"]

    def _type_of(self, name: str) -> torch.dtype:
        is_weight = name.startswith("weight") and not name.endswith("_scale")
        return WEIGHT_TYPES[self.precision] if is_weight else torch.float32

    def _check_source(self, weights: list[LayerWeights]) -> None:
        rows = zip(self.shape.rows(), weights, strict=True)
        for (layer, direction), row in rows:
            names = weight_names(self.shape, layer, direction)
            for name, weight in zip(names, row.present(), strict=True):
                if weight.dtype != torch.float32 or weight.device.type != "cpu":
                    raise ValueError(
                        f"{name} is {weight.dtype} on {weight.device}; only a layer of float32 on "
                        "the CPU is quantized: convert it with .float() or .cpu() first."
                    )
                if not torch.isfinite(weight).all():
                    raise ValueError(
                        f"{name} has elements that are not finite, which no scale can hold; "
                        "quantize a layer whose weights are finite."
                    )
                if self.precision == "int8" and weight.dim() == 2:
                    self._check_depth(name, weight.shape[1])

    @staticmethod
    def _check_depth(name: str, depth: int) -> None:
        if depth > _MOST_FEATURES:
            raise ValueError(
                f"{name} reads {depth} features; sums of int8 hold {_MOST_FEATURES} at most: use "
                "bf16."
            )

    def _register(self, weights: list[LayerWeights]) -> None:
        for (layer, direction), row in zip(self.shape.rows(), weights, strict=True):
            scales: dict[str, Tensor] = {}
            for name, weight in zip(
                weight_names(self.shape, layer, direction), row.present(), strict=True
            ):
                if not name.startswith("weight"):
                    self.register_buffer(name, weight.detach().clone())
                    continue
                low, scale = low_weight(weight.detach(), self.precision)
                self.register_buffer(name, low)
                if scale is not None:
                    scales[name + "_scale"] = scale
            for name, scale in scales.items():
                self.register_buffer(name, scale)

    def _measure(self, layer: nn.Module, samples: Tensor | PackedSequence | None) -> None:
        """Fill `error` and `probe`."""
        given = samples is not None
        if samples is None:
            chance = torch.Generator().manual_seed(0)
            size = (_PROBE_STEPS, _PROBE_SAMPLES, self.shape.input_size)
            samples = torch.randn(size, generator=chance)
            samples = samples.transpose(0, 1) if self.batch_first else samples
        was_training = layer.training
        layer.eval()
        try:
            exact = unroll_layer(
                cast("RecurrentLayer", layer), stack_weights(layer, self.shape), samples, None, None
            )
        finally:
            layer.train(was_training)
        found = unroll_layer(self, [], samples, None, None, self.engine, self.like)
        lengths = torch.as_tensor(exact.lengths)
        real = torch.arange(exact.steps)[:, None] < lengths[None, :]
        of_planes = [(found.hidden - exact.hidden).abs()]
        if found.cell is not None and exact.cell is not None:
            of_planes.append((found.cell - exact.cell).abs())
        rows = [plane for planes in of_planes for plane in planes.flatten(0, 1)]
        top = torch.cat(rows[: self.shape.num_rows][-self.shape.num_directions :], dim=-1)
        for number, error in enumerate([top, *rows]):
            at_real_steps = error[real]
            if at_real_steps.numel():
                self.error[number, 0] = at_real_steps.max()
                self.error[number, 1] = at_real_steps.mean()
        self.probe.copy_(torch.tensor([exact.steps, exact.batch, int(given)]))

    def _run(self, call: StackCall) -> TopStates:
        kept = self._compute(call, cells=False)
        return TopStates(kept.outputs[-1], kept.h_n, kept.c_n)

    def _unroll(self, call: StackCall) -> StackStates:
        return states_of(call.shape, self._compute(call, cells=True))

    def check_call(self, call: StackCall) -> None:
        """Refuse a run that needs more than the kernels.

        Args:
            call: the run.

        Raises:
            RuntimeError: a gradient is asked for, or something that the kernels cannot compute.
        """
        values = call.given()
        reason = why_not_compiled(values)
        if reason is not None:
            raise RuntimeError(
                f"a quantized layer runs on the compiled kernels only, and {reason}; use the "
                "float32 layer for this."
            )
        if torch.is_grad_enabled() and any(value.requires_grad for value in values):
            raise RuntimeError(
                "a gradient is asked for, and a quantized layer has none; run it under "
                "torch.no_grad() or on detached tensors, or use the float32 layer."
            )

    def _compute(self, call: StackCall, *, cells: bool) -> Kept:
        self.check_call(call)
        values = call.given()
        weights = [weight for row in self.weights_by_row() for weight in row]
        run = (call.shape, call.x, call.h0, call.c0, call.lengths, weights)
        if is_plain([*values, *weights]):
            if not cells:
                return compute_top(*run, precision=self.precision)
            return compute(*run, cells=True, gates=False, precision=self.precision)
        found = recurrent_quantized(
            call.x,
            call.h0,
            call.c0,
            call.lengths,
            weights,
            call.shape.cell,
            sizes_of(call.shape),
            self.precision,
            cells,
        )
        return by_name(call.shape, found, Wanted(cells, False))
