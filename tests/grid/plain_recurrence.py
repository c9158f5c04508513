"""A recurrent stack in plain loops over one sample at a time: no padding, no batch, no tensors.

Written from the equations in the documentation of `torch.nn.RNN`, `GRU` and `LSTM`, and on purpose
with nothing of this package in it.
"""

from typing import Any

import numpy as np

States = dict[tuple[str, int, str, int], np.ndarray]


def unrolled(layer: Any, sample: np.ndarray) -> States:
    """Every state of one sample by (kind, layer, direction, step).

    Args:
        layer: of `torch.nn`; its weights are read.
        sample: input of shape (step, input), without padding.
    """
    states: States = {}
    below = list(sample)
    for number in range(layer.num_layers):
        planes = []
        for direction in ("forward", "reverse")[: 1 + layer.bidirectional]:
            weights = _weights(layer, number, direction)
            hidden = np.zeros(layer.proj_size or layer.hidden_size)
            cell = np.zeros(layer.hidden_size)
            steps = range(len(below))
            plane = {}
            for step in steps if direction == "forward" else reversed(steps):
                hidden, cell = _step(layer, below[step], hidden, cell, weights)
                states["hidden", number, direction, step] = plane[step] = hidden
                if layer.mode == "LSTM":
                    states["cell", number, direction, step] = cell
            planes.append(plane)
        below = [np.concatenate([plane[step] for plane in planes]) for step in range(len(below))]
    return states


def _weights(layer: Any, number: int, direction: str) -> dict[str, np.ndarray]:
    suffix = f"_l{number}" + "_reverse" * (direction == "reverse")
    return {
        name.removesuffix(suffix): value.detach().numpy()
        for name, value in layer.named_parameters()
        if name.endswith(suffix)
    }


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _step(
    layer: Any, x: np.ndarray, hidden: np.ndarray, cell: np.ndarray, w: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    from_input = w["weight_ih"] @ x + w.get("bias_ih", 0)
    from_hidden = w["weight_hh"] @ hidden + w.get("bias_hh", 0)
    match layer.mode:
        case "RNN_TANH":
            return np.tanh(from_input + from_hidden), cell
        case "RNN_RELU":
            return np.maximum(from_input + from_hidden, 0), cell
        case "GRU":
            (r_i, z_i, n_i), (r_h, z_h, n_h) = np.split(from_input, 3), np.split(from_hidden, 3)
            reset, update = _sigmoid(r_i + r_h), _sigmoid(z_i + z_h)
            return (1 - update) * np.tanh(n_i + reset * n_h) + update * hidden, cell
        case "LSTM":
            i, f, g, o = np.split(from_input + from_hidden, 4)
            cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
            hidden = _sigmoid(o) * np.tanh(cell)
            return (w["weight_hr"] @ hidden if layer.proj_size else hidden), cell
    raise AssertionError(layer.mode)
