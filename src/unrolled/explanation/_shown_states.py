"""The numbers of a run: the norm of each state of each sample, and a gate if one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..grid import StateAddress, StateGrid
from ._state_norms import state_norms


@dataclass(frozen=True, slots=True)
class ShownStates:
    """What is told of the states of a run.

    Attributes:
        values: `"norm"`, or the name of a gate.
        grid: the run.
        gates: how far the gate was open, for each sample; absent for norms.
    """

    values: str
    grid: StateGrid
    gates: list[dict[StateAddress, float]] | None = None

    def of(self, sample: int) -> Mapping[str, Any]:
        """The arguments of `grid_part` that tell the values of one sample."""
        return {
            "values": self.values,
            "norms": state_norms(self.grid, sample),
            "gates": None if self.gates is None else self.gates[sample],
        }
