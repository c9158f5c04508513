"""What is told in numbers of each state of an encoder-decoder's run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..grid import StateAddress
from ..seq2seq import Seq2Seq
from ._gate_values import gate_values
from ._replay import Replay
from ._state_norms import state_norms
from ._value_kinds import NORM, has_values


class ShownValues(NamedTuple):
    """The norms of one stack's states, and what is asked for: norms again, or a gate."""

    norms: Mapping[StateAddress, float]
    values: str
    gates: Mapping[StateAddress, float] | None


def run_values(model: Seq2Seq, seen: Replay, values: str | None) -> tuple[ShownValues, ShownValues]:
    """The values of the encoder and of the decoder.

    Where the two are of different cells, the one that lacks the gate is told no numbers.

    Args:
        model: what ran.
        seen: the run.
        values: `"norm"`, the name of a gate that at least one of the two has, or nothing.
    """
    layers = model.encoder.layer, model.decoder.layer
    found = []
    for layer, grid, x, h0 in zip(
        layers, (seen.encoder, seen.decoder), seen.read, (None, seen.start), strict=True
    ):
        named = values if values is not None and has_values(values, layer.shape) else ""
        gates = None
        if named not in ("", NORM):
            (gates,) = gate_values(named, layer, layer.shape, x, grid, h0)
        found.append(ShownValues(state_norms(grid), named, gates))
    return found[0], found[1]
