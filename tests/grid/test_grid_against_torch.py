"""What torch's own layers return, slot by slot, is the state that the layout names.

The states come from plain loops over each sample alone; torch runs the ragged batch packed.
"""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from plain_recurrence import States, unrolled
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled.grid import DIRECTIONS, Layout, Slots, StateAddress, StateGrid

LENGTHS = [4, 6, 1, 3]
STEPS, INPUT, HIDDEN = max(LENGTHS), 3, 5


def _layer(name: str, **flags: Any) -> Any:
    torch.manual_seed(0)
    kind = getattr(torch.nn, name.removesuffix("_relu").removesuffix("_proj"))
    if name.endswith("_relu"):
        flags["nonlinearity"] = "relu"
    if name.endswith("_proj"):
        flags["proj_size"] = 2
    return kind(INPUT, HIDDEN, dtype=torch.float64, **flags)


def _run(layer: Any, x: torch.Tensor, lengths: list[int]) -> dict[str, np.ndarray]:
    """`x` is (batch, step, input)."""
    given = x if layer.batch_first else x.transpose(0, 1)
    packed = pack_padded_sequence(given, lengths, layer.batch_first, enforce_sorted=False)
    packed_output, states = layer(packed)
    output, _ = pad_packed_sequence(packed_output, layer.batch_first)
    named = {"output": output}
    if layer.mode == "LSTM":
        named["hidden_state"], named["cell_state"] = states
    else:
        named["hidden_state"] = states
    return {name: tensor.detach().numpy() for name, tensor in named.items()}


def _value(states: States, address: StateAddress) -> np.ndarray:
    return states[address.kind, address.layer, address.direction, address.step]


LAYERS = pytest.mark.parametrize("name", ["RNN", "RNN_relu", "GRU", "LSTM", "LSTM_proj"])


@LAYERS
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_every_slot(name: str, num_layers: int, bidirectional: bool, batch_first: bool) -> None:
    layer = _layer(
        name, num_layers=num_layers, bidirectional=bidirectional, batch_first=batch_first
    )
    x = torch.randn(len(LENGTHS), STEPS, INPUT, dtype=torch.float64)
    tensors = _run(layer, x, LENGTHS)
    plain = [unrolled(layer, x[n, :length].numpy()) for n, length in enumerate(LENGTHS)]
    layout = Layout(
        num_layers, bidirectional, steps=STEPS, lengths=LENGTHS, batch_first=batch_first
    )

    for tensor, values in tensors.items():
        slots: Slots = getattr(layout, tensor)
        blocks = values.reshape(*slots.shape, -1)
        for index in np.ndindex(*slots.shape):
            address = slots.address(*index)
            sample = index[0 if tensor == "output" and batch_first else 1]
            expected = 0 if address is None else _value(plain[sample], address)
            np.testing.assert_allclose(blocks[index], expected, rtol=1e-12, atol=1e-12)

    grid = _grid(layer, plain, batch_first)
    for tensor, values in tensors.items():
        np.testing.assert_allclose(getattr(grid, tensor), values, rtol=1e-12, atol=1e-12)


def _grid(layer: Any, plain: list[States], batch_first: bool) -> StateGrid:
    """The states of the loops, NaN where a sample has none."""

    def values(kind: str, size: int) -> np.ndarray:
        axes = (layer.num_layers, 1 + layer.bidirectional, STEPS, len(LENGTHS))
        array = np.full((*axes, size), np.nan)
        for number, direction, step, sample in product(*map(range, axes)):
            if step < LENGTHS[sample]:
                where = (kind, number, DIRECTIONS[direction], step)
                array[number, direction, step, sample] = plain[sample][where]
        return array

    cell = values("cell", HIDDEN) if layer.mode == "LSTM" else None
    return StateGrid(values("hidden", layer.proj_size or HIDDEN), cell, LENGTHS, batch_first)


@LAYERS
def test_an_unbatched_run(name: str) -> None:
    layer = _layer(name, num_layers=2, bidirectional=True)
    x = torch.randn(STEPS, INPUT, dtype=torch.float64)
    output, states = layer(x)
    states = states if layer.mode == "LSTM" else (states,)
    plain = unrolled(layer, x.numpy())
    layout = Layout(2, bidirectional=True, steps=STEPS)
    named = zip(
        (layout.output, layout.hidden_state, layout.cell_state), (output, *states), strict=False
    )
    for slots, tensor in named:
        blocks = tensor.detach().numpy().reshape(*slots.shape, -1)
        for index in np.ndindex(*slots.shape):
            address = slots.address(*index)
            assert address is not None
            np.testing.assert_allclose(blocks[index], _value(plain, address), rtol=0, atol=1e-12)
