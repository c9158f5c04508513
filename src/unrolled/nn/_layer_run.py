"""From what a user gives a layer to what an engine computes, and back."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from ..grid import StackShape, StateGrid
from . import _torch_engine
from ._checks import (
    check_initial_state,
    check_input,
    check_sample_lengths,
    check_steps,
    check_traced_lengths,
)
from ._engine import Engine, EngineChoice, engine_of, uses_kernels
from ._packed import pack_like
from ._quick_run import run_quickly
from ._stack_call import StackCall
from ._weights import LayerWeights, flat, stack_weights

InitialState = Tensor | tuple[Tensor, Tensor] | None
Lengths = Tensor | Sequence[int] | None


@runtime_checkable
class RecurrentLayer(Protocol):
    """What a layer must tell to be run; `RNN`, `GRU` and `LSTM` do."""

    batch_first: bool
    dropout: float
    training: bool

    @property
    def shape(self) -> StackShape:
        """The stack."""


@runtime_checkable
class LowPrecisionLayer(RecurrentLayer, Protocol):
    """What a quantized layer has beside the others: weights that the kernels alone can read."""

    precision: str

    @property
    def engine(self) -> Engine:
        """The kernels."""

    @property
    def like(self) -> Tensor:
        """A tensor of the type and device that an input must have."""

    def check_use(self) -> None:
        """Raise where the layer cannot be run."""

    def check_call(self, call: StackCall) -> None:
        """Raise where a run cannot be made."""

    def weights_by_row(self) -> list[list[Tensor]]:
        """The weights of each layer."""


class LayerResult(NamedTuple):
    """`output` in the form of the input, and the final states."""

    output: Tensor | PackedSequence
    hidden_state: Tensor
    cell_state: Tensor | None


class _Prepared(NamedTuple):
    call: StackCall
    batched: bool


def check_layer(layer: object) -> RecurrentLayer:
    """A layer, once it is one that can be run.

    Args:
        layer: what came.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(layer, RecurrentLayer):
        found = type(layer)
        raise TypeError(
            f"the layer is a {found.__module__}.{found.__qualname__}; give an RNN, GRU or LSTM of "
            "unrolled.nn."
        )
    return layer


def engine_for(layer: RecurrentLayer, input: Tensor | PackedSequence) -> EngineChoice:
    """The engine that computes a layer on an input, and why it is that one.

    Args:
        layer: an `RNN`, `GRU` or `LSTM`, quantized or not.
        input: as the layer takes it.

    Raises:
        RuntimeError: no engine does, as `QuantizedLayer.forward` says.
        TypeError, ValueError: as `RNN.forward` or `QuantizedLayer.forward` says.
    """
    check_layer(layer)
    if isinstance(input, PackedSequence):
        padded, _ = pad_packed_sequence(input, batch_first=layer.batch_first)
    else:
        padded = input
    if isinstance(layer, LowPrecisionLayer):
        layer.check_use()
        layer.check_call(_prepare(layer, [], padded, None, None, layer.like).call)
        return EngineChoice(layer.engine, "a quantized layer runs on the compiled kernels only")
    weights = stack_weights(cast("nn.Module", layer), layer.shape)
    return engine_of(_prepare(layer, weights, padded, None, None).call)


def run_layer(
    layer: RecurrentLayer,
    input: Tensor | PackedSequence,
    hx: InitialState,
    lengths: Lengths,
) -> LayerResult:
    """Run a layer.

    Args:
        layer: what to run.
        input: padded, unbatched or packed.
        hx: initial state; zeros when absent.
        lengths: real steps of each sample of a padded input.

    Raises:
        TypeError, ValueError: as `RNN.forward` says.
    """
    found = run_quickly(layer, input, hx) if lengths is None else None
    if found is not None:
        return LayerResult(*found)
    weights = stack_weights(cast("nn.Module", layer), layer.shape)
    return run_with_weights(layer, weights, input, hx, lengths)


def run_with_weights(
    layer: RecurrentLayer,
    weights: list[LayerWeights],
    input: Tensor | PackedSequence,
    hx: InitialState,
    lengths: Lengths,
    engine: Engine | None = None,
    like: Tensor | None = None,
) -> LayerResult:
    """Run a layer whose weights are known.

    Args:
        layer: what to run.
        weights: one `LayerWeights` per row of `hidden_state`.
        input: padded, unbatched or packed.
        hx: initial state; zeros when absent.
        lengths: real steps of each sample of a padded input.
        engine: who computes; the engine in use when absent.
        like: whose type and device the input must have; the first weight when absent.

    Raises:
        TypeError, ValueError: as `RNN.forward` says.
    """
    if isinstance(input, PackedSequence):
        return _run_packed(layer, weights, input, hx, lengths, engine, like)
    prepared = _prepare(layer, weights, input, hx, lengths, like)
    output, hidden, cell = (engine or engine_of(prepared.call).engine).run(prepared.call)
    if not prepared.batched:
        return LayerResult(
            output.squeeze(1), hidden.squeeze(1), None if cell is None else cell.squeeze(1)
        )
    return LayerResult(output.transpose(0, 1) if layer.batch_first else output, hidden, cell)


def unroll_layer(
    layer: RecurrentLayer,
    weights: list[LayerWeights],
    input: Tensor | PackedSequence,
    hx: InitialState,
    lengths: Lengths,
    engine: Engine | None = None,
    like: Tensor | None = None,
) -> StateGrid:
    """Every state of a run.

    Args:
        layer: what to run.
        weights: one `LayerWeights` per row of `hidden_state`.
        input: padded, unbatched or packed.
        hx: initial state; zeros when absent.
        lengths: real steps of each sample of a padded input.
        engine: as in `run_with_weights`.
        like: as in `run_with_weights`.

    Raises:
        TypeError, ValueError: as `RNN.forward` says.
    """
    if isinstance(input, PackedSequence):
        _refuse_lengths(lengths)
        padded, lengths = pad_packed_sequence(input, batch_first=layer.batch_first)
    else:
        padded = input
    prepared = _prepare(layer, weights, padded, hx, lengths, like)
    states = (engine or engine_of(prepared.call).engine).unroll(prepared.call)
    found = prepared.call.lengths
    return StateGrid(
        states.hidden,
        states.cell,
        None if found is None else found.cpu().numpy(),
        batch_first=layer.batch_first,
        batched=prepared.batched,
    )


def _prepare(
    layer: RecurrentLayer,
    weights: list[LayerWeights],
    input: Tensor,
    hx: InitialState,
    lengths: Lengths,
    like: Tensor | None = None,
) -> _Prepared:
    shape = layer.shape
    like = weights[0].weight_ih if like is None else like
    check_input(input, size=shape.input_size, like=like, ranks=(2, 3))
    batched = input.dim() == 3
    x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if layer.batch_first else input
    steps, batch = x.shape[:2]
    check_steps(steps)
    if lengths is not None and not batched:
        raise ValueError(
            "lengths were given with an unbatched input; cut the input to its length instead."
        )
    real = _real_lengths(lengths, x, weights)
    if hx is None:
        h0, c0 = _zeros(shape, batch, x)
    else:
        h0, c0 = check_initial_state(hx, shape=shape, batch=batch if batched else None, like=like)
        if not batched:
            h0, c0 = h0.unsqueeze(1), None if c0 is None else c0.unsqueeze(1)
    return _Prepared(
        StackCall(shape, weights, x, h0, c0, real, layer.dropout, layer.training), batched
    )


def _real_lengths(lengths: Lengths, x: Tensor, weights: list[LayerWeights]) -> Tensor | None:
    if lengths is None:
        return None
    steps, batch = x.shape[:2]
    # Looking at a value breaks a compiled graph; the kernels are an operator and look themselves.
    is_traced = torch.compiler.is_compiling() and isinstance(lengths, Tensor)
    if is_traced and uses_kernels([x, *flat(weights)]):
        return check_traced_lengths(cast("Tensor", lengths), batch=batch)
    return check_sample_lengths(lengths, batch=batch, steps=steps)


def _run_packed(
    layer: RecurrentLayer,
    weights: list[LayerWeights],
    packed: PackedSequence,
    hx: InitialState,
    lengths: Lengths,
    engine: Engine | None,
    like: Tensor | None,
) -> LayerResult:
    _refuse_lengths(lengths)
    shape = layer.shape
    like = weights[0].weight_ih if like is None else like
    check_input(packed.data, size=shape.input_size, name="packed input", like=like, ranks=(2,))
    batch = int(packed.batch_sizes[0])
    if hx is None:
        h0, c0 = _zeros(shape, batch, packed.data)
    else:
        h0, c0 = check_initial_state(hx, shape=shape, batch=batch, like=like)
    x, real = pad_packed_sequence(packed)
    call = StackCall(shape, weights, x, h0, c0, real, layer.dropout, layer.training)
    engine = engine or engine_of(call).engine
    if engine.name == "torch":
        order, back = packed.sorted_indices, packed.unsorted_indices
        data, hidden, cell = _torch_engine.run_sequence(
            shape,
            weights,
            packed.data,
            packed.batch_sizes,
            _reorder(h0, order),
            None if c0 is None else _reorder(c0, order),
            dropout=layer.dropout,
            training=layer.training,
        )
        hidden, cell = _reorder(hidden, back), None if cell is None else _reorder(cell, back)
    else:
        output, hidden, cell = engine.run(call)
        data = pack_like(output, packed.batch_sizes, packed.sorted_indices)
    output_packed = PackedSequence(
        data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    )
    return LayerResult(output_packed, hidden, cell)


def _refuse_lengths(lengths: Lengths) -> None:
    if lengths is not None:
        raise ValueError(
            "lengths were given with a PackedSequence, which has its own; give only one of them."
        )


def _reorder(state: Tensor, index: Tensor | None) -> Tensor:
    return state if index is None else state.index_select(1, index)


def _zeros(shape: StackShape, batch: int, like: Tensor) -> tuple[Tensor, Tensor | None]:
    hidden = like.new_zeros(shape.num_rows, batch, shape.state_size)
    if not shape.has_cell_state:
        return hidden, None
    return hidden, like.new_zeros(shape.num_rows, batch, shape.cell_size)
