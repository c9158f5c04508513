"""What a quantized layer computes, in NumPy: each state from those before it.

Whole numbers are multiplied as such. A rounding that falls to the other side at one step would go
on to all later ones, so every state is held against what the kernels' own states before it give.
"""

from typing import Any

import numpy as np

from unrolled import nn
from unrolled.grid import StateGrid

Array = Any

ROUNDING = ("avx512bf16", "amxbf16")  # instruction sets that round the values to bfloat16, too


def bfloat16(values: Array) -> Array:
    """Float32 rounded to bfloat16, ties to even, as float64."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return rounded.astype(np.uint32).view(np.float32).astype(np.float64)


def product(values: Array, weight: Array, scale: Array | None, isa: str) -> Array:
    """Values (batch, depth) float32 times a weight (columns, depth) of a low precision."""
    if scale is None:
        exact = bfloat16(values) if isa in ROUNDING else values.astype(np.float64)
        return exact @ weight.astype(np.float64).T
    largest = np.abs(values).max(axis=1, initial=0).astype(np.float32)
    with np.errstate(divide="ignore", over="ignore"):
        per_step = np.where(largest > np.float32(1e-35), np.float32(127) / largest, np.float32(0))
    whole = np.rint(values * per_step[:, None].astype(np.float32)).astype(np.int64)
    sums = whole @ weight.astype(np.int64).T
    return sums * (largest / np.float32(127)).astype(np.float64)[:, None] * scale[None, :]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def next_state(
    layer: nn.QuantizedLayer, suffix: str, x: Array, h: Array, c: Array | None, isa: str
) -> tuple[Array, Array | None]:
    """h and c of one step of one layer and direction from those before, for all samples."""

    def times(values: Array, name: str) -> Array:
        weight = getattr(layer, name + suffix)
        scale = getattr(layer, f"{name}{suffix}_scale", None)
        return product(
            values, weight.float().numpy(), None if scale is None else scale.numpy(), isa
        )

    def bias(name: str) -> Array:
        found = getattr(layer, name + suffix, None)
        return 0.0 if found is None else found.numpy().astype(np.float64)

    from_input, from_state = times(x, "weight_ih") + bias("bias_ih"), times(h, "weight_hh")
    from_state = from_state + bias("bias_hh")
    cell = layer.shape.cell
    if cell == "gru":
        (xr, xz, xn), (hr, hz, hn) = (np.split(p, 3, axis=1) for p in (from_input, from_state))
        z = sigmoid(xz + hz)
        return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h, None
    if cell != "lstm":
        total = from_input + from_state
        return (np.maximum(total, 0) if cell == "rnn_relu" else np.tanh(total)), None
    i, f, g, o = np.split(from_input + from_state, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (times(h.astype(np.float32), "weight_hr") if layer.shape.proj_size else h), c


def largest_error(
    layer: nn.QuantizedLayer, grid: StateGrid, x: Array, h0: Array, c0: Array | None, isa: str
) -> float:
    """How far any state of a run is from what the states before it give, 1 + its size being 1.

    Args:
        layer: what ran.
        grid: its states.
        x: its input, (step, batch, input).
        h0: its initial states.
        c0: likewise.
        isa: the instruction set that ran.
    """
    hidden = grid.hidden.numpy()
    cells = None if grid.cell is None else grid.cell.numpy()
    worst = 0.0
    for number, (at, direction) in enumerate(layer.shape.rows()):
        d = layer.shape.directions.index(direction)
        suffix = f"_l{at}" + ("_reverse" if d else "")
        below = x if at == 0 else np.concatenate(list(hidden[at - 1]), axis=-1)
        for sample, length in enumerate(grid.lengths):
            one = slice(sample, sample + 1)
            h, c = h0[number, one], None if c0 is None else c0[number, one]
            for step in range(length) if d == 0 else reversed(range(length)):
                expected_h, expected_c = next_state(layer, suffix, below[step, one], h, c, isa)
                h = hidden[at, d, step, one]
                pairs = [(h, expected_h)]
                if cells is not None:
                    c = cells[at, d, step, one]
                    pairs.append((c, expected_c))
                for found, expected in pairs:
                    error = np.abs(found - expected) / (1 + np.abs(expected))
                    worst = max(worst, float(error.max()))
    return worst
