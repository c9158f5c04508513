"""The conventions in which frameworks keep the weights of recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n"), "rnn": ("h",)}
"""In the order of PyTorch."""
KNOWN = {
    ("lstm", "i f g o"): "PyTorch, Keras, cuDNN, Flax",
    ("lstm", "i g f o"): "TensorFlow 1 and Haiku (i j f o)",
    ("lstm", "i o f g"): "ONNX (i o f c)",
    ("lstm", "i f o g"): "Caffe and DyNet (i f o c)",
    ("gru", "r z n"): "PyTorch, cuDNN, Flax",
    ("gru", "z r n"): "Keras and ONNX (z r h)",
    ("rnn", "h"): "every framework",
}


@dataclass(frozen=True, slots=True)
class Convention:
    """How the blocks, biases and reset of a layer's weights are to be read."""

    cell: str
    order: tuple[str, ...]
    """The gate of each block, first to last; in an LSTM g is the candidate, in a GRU n."""
    reset: str = "after"
    """Of a GRU: whether the reset gate acts `"after"` or `"before"` the recurrent product."""
    inverted: bool = False
    """Of a GRU: whether the update gate z keeps the candidate and 1 - z the old state."""
    forget_bias: float = 0.0
    """Added to the forget gate when the layer runs."""
    turned: bool = False
    """Whether the recurrent matrix is transposed against what its shape says."""
    bias: str = "as given"
    """Of a GRU: `"as given"`, or `"summed"` where the two biases were added into one and have to be
    parted again."""

    @property
    def frameworks(self) -> str:
        """Who keeps the gates in this order."""
        return KNOWN.get((self.cell, " ".join(self.order)), "no framework known here")

    def __str__(self) -> str:
        words = [f"gates {' '.join(self.order)} ({self.frameworks})"]
        if self.cell == "gru" and self.reset == "before":
            words.append(
                "reset before the product (Keras reset_after=False, ONNX linear_before_reset=0)"
            )
        if self.inverted:
            words.append("the update gate inverted")
        if self.forget_bias:
            words.append(f"{self.forget_bias:g} added to the forget gate at run time")
        if self.turned:
            words.append("the recurrent matrix transposed")
        if self.bias == "summed":
            words.append("input and recurrent bias summed, which no GRU with reset after can undo")
        return ", ".join(words)


def conventions(cell: str) -> list[Convention]:
    """All that are tried, the usual ones first.

    Args:
        cell: `"lstm"`, `"gru"` or `"rnn"`.
    """
    found: list[Convention] = []
    usual = [name.split() for kind, name in KNOWN if kind == cell]
    orders = [tuple(order) for order in usual]
    orders += [order for order in permutations(GATES[cell]) if order not in orders]
    for turned in (False, True):
        for order in orders:
            if cell == "lstm":
                found += [
                    Convention(cell, order, forget_bias=bias, turned=turned) for bias in (0.0, 1.0)
                ]
            elif cell == "gru":
                found += [
                    Convention(cell, order, reset=reset, inverted=inverted, turned=turned)
                    for inverted in (False, True)
                    for reset in ("after", "before")
                ]
            else:
                found.append(Convention(cell, order, turned=turned))
    return found


@dataclass(frozen=True)
class Weights:
    """One layer in one direction as PyTorch shapes it: rows of gate blocks."""

    w: Array
    u: Array
    b: Array
    r: Array
    """The bias of the recurrent product."""

    def read(self, convention: Convention) -> Weights:
        """The same weights in PyTorch's order.

        Args:
            convention: how they lie.
        """
        gates = GATES[convention.cell]
        places = [convention.order.index(gate) for gate in gates]
        count = len(gates)

        def blocks(array: Array, turn: bool = False) -> list[Array]:
            parts = np.split(array, count)
            return [parts[place].T if turn else parts[place] for place in places]

        w, b, r = blocks(self.w), blocks(self.b), blocks(self.r)
        u = blocks(self.u, convention.turned)
        if convention.forget_bias and convention.cell == "lstm":
            b[1] = b[1] + convention.forget_bias
        if convention.inverted:
            for parts in (w, u, b, r):
                parts[1] = -parts[1]
        return Weights(*(np.concatenate(parts) for parts in (w, u, b, r)))


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


def run_layer(cell: str, weights: Weights, x: Array, reset: str = "after") -> tuple[Array, Array]:
    """The hidden states at every step, (step, batch, hidden), and the last cell or hidden state.

    Args:
        cell: `"lstm"`, `"gru"` or `"rnn"`.
        weights: in PyTorch's order.
        x: (step, batch, input).
        reset: of a GRU, `"after"` or `"before"` the recurrent product.
    """
    size = weights.u.shape[1]
    h = np.zeros((x.shape[1], size))
    c = np.zeros_like(h)
    states = []
    for step in x:
        given = step @ weights.w.T + weights.b
        if cell == "rnn":
            h = np.tanh(given + h @ weights.u.T + weights.r)
        elif cell == "lstm":
            i, f, g, o = np.split(given + h @ weights.u.T + weights.r, 4, axis=1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
        else:
            x_r, x_z, x_n = np.split(given, 3, axis=1)
            h_r, h_z, h_n = np.split(h @ weights.u.T + weights.r, 3, axis=1)
            r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
            if reset == "before":
                u_n = np.split(weights.u, 3)[2]
                n = np.tanh(x_n + (r * h) @ u_n.T + np.split(weights.r, 3)[2])
            else:
                n = np.tanh(x_n + r * h_n)
            h = (1 - z) * n + z * h
        states.append(h)
    return np.stack(states), c if cell == "lstm" else h
