"""M25: weights of another framework, loaded with its gates, biases or reset left as they were.

The other framework's outputs are computed here with NumPy alone, from its own equations and layout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .case import pair
from .example_inputs import floats

Array = np.ndarray[Any, np.dtype[np.float64]]
STEPS, BATCH = 7, 4


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def drawn(*shape: int) -> Array:
    """Weights large enough for the gates to matter."""
    return np.random.default_rng(sum(shape)).normal(0, 0.6, shape)


def tensor(array: Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)


def load(layer: nn.RNNBase, w: Array, u: Array, b_ih: Array, b_hh: Array) -> None:
    """(gates * hidden, ...) rows as PyTorch keeps them."""
    with torch.no_grad():
        layer.weight_ih_l0.copy_(tensor(w))
        layer.weight_hh_l0.copy_(tensor(u))
        layer.bias_ih_l0.copy_(tensor(b_ih))
        layer.bias_hh_l0.copy_(tensor(b_hh))


def example(size: int) -> Array:
    """The very numbers that the case gives to the model, (batch, steps, size)."""
    return floats(BATCH, STEPS, size).double().numpy()


# TensorFlow 1's BasicLSTMCell: one kernel [x; h] -> i, j, f, o; forget_bias=1 added at run time.
TF_KERNEL, TF_BIAS = drawn(3 + 6, 24), drawn(24)


def tensorflow_lstm(x: Array, size: int) -> Array:
    h, c = np.zeros((len(x), size)), np.zeros((len(x), size))
    outputs = []
    for t in range(x.shape[1]):
        i, j, f, o = np.split(np.concatenate([x[:, t], h], 1) @ TF_KERNEL + TF_BIAS, 4, axis=1)
        c = c * sigmoid(f + 1.0) + sigmoid(i) * np.tanh(j)
        h = np.tanh(c) * sigmoid(o)
        outputs.append(h)
    return np.stack(outputs, 1)


def tensorflow_rows(order: tuple[int, ...], forget_bias: float) -> tuple[Array, Array, Array]:
    blocks = [np.split(part, 4, axis=-1) for part in (TF_KERNEL, TF_BIAS)]
    blocks[1][2] = blocks[1][2] + forget_bias
    kernel = np.concatenate([blocks[0][gate] for gate in order], -1).T
    return kernel[:, :3], kernel[:, 3:], np.concatenate([blocks[1][gate] for gate in order])


@pair(
    "M25",
    "tagger",
    "lstm",
    "lstm",
    lambda: (floats(BATCH, STEPS, 3),),
    hints=lambda: {"target": tensor(tensorflow_lstm(example(3), 6))},
)
class TensorflowLstm(nn.Module):
    """i, j, f, o copied as if they were i, f, g, o."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        order = (0, 2, 1, 3) if right else (0, 1, 2, 3)
        w, u, b = tensorflow_rows(order, 1.0)
        load(self.lstm, w, u, b, np.zeros_like(b))

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


# Keras' GRU with reset_after=True: z, r, h; one bias for the input, one for the recurrence.
KERAS_W, KERAS_U, KERAS_B = drawn(4, 15), drawn(5, 15), drawn(2, 15)


def keras_gru(x: Array, size: int, reset_after: bool) -> Array:
    h = np.zeros((len(x), size))
    outputs = []
    for t in range(x.shape[1]):
        x_z, x_r, x_h = np.split(x[:, t] @ KERAS_W + KERAS_B[0], 3, axis=1)
        if reset_after:
            h_z, h_r, h_h = np.split(h @ KERAS_U + KERAS_B[1], 3, axis=1)
            z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
            candidate = np.tanh(x_h + r * h_h)
        else:
            u_z, u_r, u_h = np.split(KERAS_U, 3, axis=1)
            z, r = sigmoid(x_z + h @ u_z), sigmoid(x_r + h @ u_r)
            candidate = np.tanh(x_h + (r * h) @ u_h)
        h = z * h + (1 - z) * candidate
        outputs.append(h)
    return np.stack(outputs, 1)


def keras_rows(order: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    def turned(part: Array) -> Array:
        blocks = np.split(part, 3, axis=-1)
        return np.concatenate([blocks[gate] for gate in order], -1)

    return turned(KERAS_W).T, turned(KERAS_U).T, turned(KERAS_B[0]), turned(KERAS_B[1])


HEAD_W, HEAD_B = drawn(2, 5), drawn(2)


@pair(
    "M25",
    "regressor",
    "gru",
    "model.gru",
    lambda: (floats(BATCH, STEPS, 4),),
    hints=lambda: {"target": tensor(keras_gru(example(4), 5, True)[:, -1] @ HEAD_W.T + HEAD_B)},
)
class KerasGru(nn.Module):
    """z, r, h copied as if they were r, z, n; a dense layer follows."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.model = nn.ModuleDict(
            {"gru": nn.GRU(4, 5, batch_first=True), "dense": nn.Linear(5, 2)}
        )
        load(self.model["gru"], *keras_rows((1, 0, 2) if right else (0, 1, 2)))
        with torch.no_grad():
            self.model["dense"].weight.copy_(tensor(HEAD_W))
            self.model["dense"].bias.copy_(tensor(HEAD_B))

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.model["gru"](x)
        return self.model["dense"](output[:, -1])


@pair(
    "M25",
    "encoder",
    "gru",
    "gru",
    lambda: (floats(BATCH, STEPS, 4).transpose(0, 1).contiguous(),),
    hints=lambda: {
        "target": tensor(keras_gru(example(4), 5, True)).transpose(0, 1).contiguous(),
        "batch_dim": 1,
        "time_dim": 0,
    },
)
class SummedBiasGru(nn.Module):
    """Gates in order, but both biases summed into one: the candidate's must stay inside the reset.

    Time-major.
    """

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 5)
        w, u, b_ih, b_hh = keras_rows((1, 0, 2))
        if not right:
            b_ih, b_hh = b_ih + b_hh, np.zeros_like(b_hh)
        load(self.gru, w, u, b_ih, b_hh)

    def forward(self, frames: Tensor) -> Tensor:
        return self.gru(frames)[0]


class ResetBeforeGru(nn.Module):
    """The GRU of the first paper: the reset gate stands before the product."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.gates = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.candidate = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = x.new_zeros(x.size(0), self.candidate.in_features)
        outputs = []
        for step in x.unbind(1):
            x_r, x_z, x_n = self.input(step).chunk(3, -1)
            h_r, h_z = self.gates(h).chunk(2, -1)
            r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
            h = z * h + (1 - z) * torch.tanh(x_n + self.candidate(r * h))
            outputs.append(h)
        return torch.stack(outputs, 1), h.unsqueeze(0)


@pair(
    "M25",
    "tagger",
    "gru",
    "gru",
    lambda: (floats(BATCH, STEPS, 4),),
    hints=lambda: {"target": tensor(keras_gru(example(4), 5, False))},
)
class ResetVariantGru(nn.Module):
    """Trained with reset_after=False; PyTorch's layer has the other variant."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        w, u, b, _ = keras_rows((1, 0, 2))
        self.gru: nn.Module
        if right:
            own = ResetBeforeGru(4, 5)
            with torch.no_grad():
                own.input.weight.copy_(tensor(w))
                own.input.bias.copy_(tensor(b))
                own.gates.weight.copy_(tensor(u[:10]))
                own.candidate.weight.copy_(tensor(u[10:]))
            self.gru = own
        else:
            self.gru = nn.GRU(4, 5, batch_first=True)
            load(self.gru, w, u, b, np.zeros_like(b))

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]


# ONNX's LSTM: i, o, f, c; W of (1, 4 * hidden, input), the biases of input and recurrence in a row.
ONNX_W, ONNX_R, ONNX_B = drawn(1, 16, 3), drawn(1, 16, 4), drawn(1, 32)


def onnx_lstm(x: Array, size: int) -> tuple[Array, Array]:
    h, c = np.zeros((len(x), size)), np.zeros((len(x), size))
    bias = ONNX_B[0, :16] + ONNX_B[0, 16:]
    for t in range(x.shape[1]):
        i, o, f, g = np.split(x[:, t] @ ONNX_W[0].T + h @ ONNX_R[0].T + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h, c


@pair(
    "M25",
    "sentence embedding",
    "lstm",
    "encoder",
    lambda: (floats(BATCH, STEPS, 3),),
    hints=lambda: {"target": tensor(onnx_lstm(example(3), 4)[0])},
)
class OnnxLstm(nn.Module):
    """i, o, f, c copied as if they were i, f, g, o; only the final state comes out."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.encoder = nn.LSTM(3, 4, batch_first=True)

        def turned(rows: Array) -> Array:
            i, o, f, g = np.split(rows, 4)
            return np.concatenate([i, f, g, o] if right else [i, o, f, g])

        b_ih, b_hh = np.split(ONNX_B[0], 2)
        load(self.encoder, turned(ONNX_W[0]), turned(ONNX_R[0]), turned(b_ih), turned(b_hh))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)[1][0][-1]


# Flax' SimpleCell: h' = tanh(W x + b + U h), kernels of (input, hidden).
FLAX_I, FLAX_B, FLAX_H = drawn(3, 6), drawn(6), drawn(6, 6)


def flax_rnn(x: Array) -> Array:
    h = np.zeros((len(x), 6))
    outputs = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ FLAX_I + FLAX_B + h @ FLAX_H)
        outputs.append(h)
    return np.stack(outputs, 1)


@pair(
    "M25",
    "tagger",
    "rnn",
    "rnn",
    lambda: (floats(BATCH, STEPS, 3),),
    hints=lambda: {"target": tensor(flax_rnn(example(3)))},
)
class FlaxRnn(nn.Module):
    """The square recurrent kernel copied without its transpose."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 6, batch_first=True)
        load(self.rnn, FLAX_I.T, FLAX_H.T if right else FLAX_H, FLAX_B, np.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]
