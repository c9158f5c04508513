"""How far a gate of each state of a run was open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..grid import Direction, StackShape, StateAddress, StateGrid
from ..nn._weights import LayerWeights, stack_weights
from ._value_kinds import GATES


@torch.no_grad()
def gate_values(
    gate: str,
    layer: Any,
    shape: StackShape,
    x: Tensor,
    grid: StateGrid,
    h0: Tensor | None = None,
) -> list[dict[StateAddress, float]]:
    """The mean of a gate over the units of each state, by sample.

    The recorded states are the input of the gate, so no step is run again.

    Args:
        gate: one of `GATES`, of this cell.
        layer: whose weights they are, of `torch.nn` or `unrolled.nn`.
        shape: its stack.
        x: its input, (step, batch, input).
        grid: its run on x.
        h0: its initial hidden states, (row, batch, hidden); zeros when absent.

    Returns:
        0 to 1 for each state that the gate makes, a mapping for each sample.
    """
    kind, block = GATES[gate].kind, GATES[gate].block
    lengths = [int(length) for length in grid.lengths]
    found: list[dict[StateAddress, float]] = [{} for _ in lengths]
    rows = zip(shape.rows(), stack_weights(layer, shape), strict=True)
    for row, ((number, direction), weights) in enumerate(rows):
        plane = grid.hidden[number, shape.directions.index(direction)]
        start = torch.zeros_like(plane[0]) if h0 is None else h0[row]
        before = _before(plane, start, direction, lengths)
        read = x if number == 0 else torch.cat(list(grid.hidden[number - 1]), dim=-1)
        opened = _opened(weights, block, shape.hidden_size, read, before)
        for sample, length in enumerate(lengths):
            for step, value in enumerate(opened[:length, sample].tolist()):
                found[sample][StateAddress(kind, number, direction, step)] = value
    return found


def _opened(weights: LayerWeights, block: int, size: int, read: Tensor, before: Tensor) -> Tensor:
    """The mean of one block's sigmoid over its units, (step, batch)."""
    rows = slice(block * size, (block + 1) * size)
    bias_ih, bias_hh = (
        None if bias is None else bias[rows] for bias in (weights.bias_ih, weights.bias_hh)
    )
    sums = linear(read, weights.weight_ih[rows], bias_ih) + linear(
        before, weights.weight_hh[rows], bias_hh
    )
    return torch.sigmoid(sums).double().mean(-1)


def _before(plane: Tensor, start: Tensor, direction: Direction, lengths: Sequence[int]) -> Tensor:
    """The h that each step of a direction began with, (step, batch, hidden)."""
    if direction == "forward":
        return torch.cat([start[None], plane[:-1]])
    before = torch.cat([plane[1:], start[None]])
    for sample, length in enumerate(lengths):  # each sample begins at its own last step
        before[length - 1, sample] = start[sample]
    return before
