"""The tensors that each framework hands out, by their names there, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..grid import Direction, Layout, StackShape
from ._address_tensor import AddressTensor, check_size
from ._state_codes import Integers, StateCodes

Framework = Literal["torch", "keras", "onnx", "flax"]
FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

Tensors = AddressTensor | tuple["Tensors", ...]


@dataclass(frozen=True, slots=True)
class FrameworkTensors:
    """What can be selected from.

    Attributes:
        source: what hands the tensors out, such as `torch.nn.LSTM`.
        names: the tensors by name; a tuple where the framework nests them.
        aliases: other names of the same tensors.
        axes: what each tensor's axes are.
        padding: what an element is where a sample has no step, in words that follow "is".
    """

    source: str
    names: Mapping[str, Tensors]
    aliases: Mapping[str, str]
    axes: Mapping[str, tuple[str, ...]]
    padding: str


@dataclass(frozen=True, slots=True)
class _Stack:
    """The pieces that all layouts are made of."""

    shape: StackShape
    output: Integers  # step batch direction·hidden
    hidden: Integers  # layer·direction batch hidden
    cell: Integers | None

    def last(self, direction: Direction, kind: str = "hidden") -> AddressTensor:
        """The final state of the last layer, (batch, unit)."""
        rows = self.cell if kind == "cell" and self.cell is not None else self.hidden
        return AddressTensor(rows[self.shape.row(-1, direction)])

    def last_rows(self, kind: str = "hidden") -> Integers:
        """The final states of the last layer, (direction, batch, unit)."""
        rows = self.cell if kind == "cell" and self.cell is not None else self.hidden
        return rows[self.shape.row(-1) :]

    @property
    def columns(self) -> str:
        """The name of the last axis of `output`."""
        return "direction · hidden" if self.shape.bidirectional else "hidden"


def _torch(stack: _Stack, batch_first: bool) -> FrameworkTensors:
    time = ("batch", "step") if batch_first else ("step", "batch")
    output = stack.output.swapaxes(0, 1).copy() if batch_first else stack.output
    names: dict[str, Tensors] = {
        "output": AddressTensor(output),
        "hidden_state": AddressTensor(stack.hidden),
    }
    aliases = {"h_n": "hidden_state"}
    rows = "layer · direction" if stack.shape.bidirectional else "layer"
    axes = {"output": (*time, stack.columns), "hidden_state": (rows, "batch", "hidden")}
    if stack.cell is not None:
        names["cell_state"] = AddressTensor(stack.cell)
        aliases["c_n"] = "cell_state"
        axes["cell_state"] = (rows, "batch", "cell")
    name = {"rnn_tanh": "RNN", "rnn_relu": "RNN"}.get(stack.shape.cell, stack.shape.cell.upper())
    return FrameworkTensors(f"torch.nn.{name}", names, aliases, axes, "0")


def _keras(stack: _Stack) -> FrameworkTensors:
    """`Bidirectional` joins by `merge_mode="concat"` and turns the backward output round again.

    https://keras.io/api/layers/recurrent_layers/bidirectional/
    """
    words = {"forward": "forward", "reverse": "backward"}
    names: dict[str, Tensors] = {"output": AddressTensor(stack.output.swapaxes(0, 1).copy())}
    finals = [stack.last(way) for way in stack.shape.directions]
    joined = AddressTensor.together(finals)
    names["last_output"] = _beside(joined)
    axes = {"output": ("batch", "step", stack.columns), "last_output": ("batch", stack.columns)}
    for way in stack.shape.directions:
        prefix = words[way] if stack.shape.bidirectional else "state"
        names[f"{prefix}_h"] = stack.last(way)
        axes[f"{prefix}_h"] = ("batch", "hidden")
        if stack.cell is not None:
            names[f"{prefix}_c"] = stack.last(way, "cell")
            axes[f"{prefix}_c"] = ("batch", "cell")
    name = {"rnn_tanh": "SimpleRNN", "rnn_relu": "SimpleRNN"}.get(
        stack.shape.cell, stack.shape.cell.upper()
    )
    source = f"keras.layers.{name}"
    if stack.shape.bidirectional:
        source = f"keras.layers.Bidirectional({name})"
    masked = "0" if stack.shape.bidirectional else "the last output once more, or 0, by backend"
    return FrameworkTensors(source, names, {}, axes, masked)


def _beside(tensors: list[AddressTensor]) -> AddressTensor:
    """(batch, unit) of each direction, side by side."""
    return tensors[0].moved(np.concatenate([one.places for one in tensors], axis=-1))


def _onnx(stack: _Stack, batch_first: bool) -> FrameworkTensors:
    """Directions have an axis of their own; `layout=1` puts the batch first, in the states too.

    https://onnx.ai/onnx/operators/onnx__LSTM.html
    """
    shape = stack.shape
    steps, batch = stack.output.shape[:2]
    split = stack.output.reshape(steps, batch, shape.num_directions, shape.state_size)
    order = (1, 0, 2, 3) if batch_first else (0, 2, 1, 3)
    names: dict[str, Tensors] = {"Y": AddressTensor(split.transpose(order).copy())}
    between = ("batch", "step", "direction") if batch_first else ("step", "direction", "batch")
    axes: dict[str, tuple[str, ...]] = {"Y": (*between, "hidden")}
    aliases = {"output": "Y"}
    for name, alias, kind in (("Y_h", "hidden_state", "hidden"), ("Y_c", "cell_state", "cell")):
        if kind == "cell" and stack.cell is None:
            continue
        rows = stack.last_rows(kind)
        names[name] = AddressTensor(rows.swapaxes(0, 1).copy() if batch_first else rows)
        axes[name] = (*(("batch", "direction") if batch_first else ("direction", "batch")), kind)
        aliases[alias] = name
    operator = {"rnn_tanh": "RNN", "rnn_relu": "RNN"}.get(shape.cell, shape.cell.upper())
    return FrameworkTensors(f"the ONNX operator {operator}", names, aliases, axes, "0")


def _flax(stack: _Stack) -> FrameworkTensors:
    """A carry for each direction; that of an LSTM is (c, h), c first.

    `Bidirectional` keeps the order of the steps in the outputs of its backward direction.
    https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    """
    names: dict[str, Tensors] = {"outputs": AddressTensor(stack.output.swapaxes(0, 1).copy())}
    carries: list[Tensors] = []
    for way in stack.shape.directions:
        hidden = stack.last(way)
        carries.append(hidden if stack.cell is None else (stack.last(way, "cell"), hidden))
    names["carry"] = tuple(carries) if stack.shape.bidirectional else carries[0]
    axes = {"outputs": ("batch", "step", stack.columns), "carry": ("batch", "hidden")}
    cell = {"lstm": "LSTMCell", "gru": "GRUCell"}.get(stack.shape.cell, "SimpleCell")
    source = f"flax.linen.RNN({cell})"
    if stack.shape.bidirectional:
        source = f"flax.linen.Bidirectional of two RNN({cell})"
    read_on = "a state that has read padding"
    return FrameworkTensors(source, names, {"output": "outputs"}, axes, read_on)


def framework_tensors(
    framework: Framework, codes: StateCodes, lengths: tuple[int, ...], batch_first: bool
) -> FrameworkTensors:
    """The tensors of a stack in a framework's layout.

    In Keras, ONNX and Flax a stack is several objects, one for each layer; these are the tensors
    of the last.

    Args:
        framework: whose names and axes.
        codes: of the stack.
        lengths: real steps of each sample.
        batch_first: PyTorch's `batch_first`, ONNX's `layout=1`; Keras and Flax know nothing else.

    Raises:
        SelectionFault: the tensors would be too large.
    """
    shape = codes.shape
    check_size(codes.steps * codes.batch * shape.output_size, "output")
    check_size(shape.num_rows * codes.batch * max(shape.state_size, shape.cell_size), "the states")
    layout = Layout(shape.num_layers, shape.bidirectional, steps=codes.steps, lengths=list(lengths))
    stack = _Stack(
        shape,
        codes.output(layout),
        codes.hidden_state(layout),
        codes.cell_state(layout) if shape.has_cell_state else None,
    )
    made: dict[Framework, Callable[[], FrameworkTensors]] = {
        "torch": lambda: _torch(stack, batch_first),
        "keras": lambda: _keras(stack),
        "onnx": lambda: _onnx(stack, batch_first),
        "flax": lambda: _flax(stack),
    }
    return made[framework]()
