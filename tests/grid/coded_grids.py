"""Grids whose values are their own addresses, so that a value found anywhere names its state."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from unrolled.grid import DIRECTIONS, Kind, Layout, StateAddress, StateGrid

SIZES: dict[Kind, int] = {"hidden": 2, "cell": 3}


@dataclass(frozen=True)
class Run:
    """The sizes of a run, as a caller would give them."""

    num_layers: int
    num_directions: int
    steps: int
    lengths: list[int] | None
    batch: int | None
    batch_first: bool

    @property
    def samples(self) -> int:
        return 1 if self.batch is None else self.batch

    @property
    def real(self) -> list[int]:
        return [self.steps] * self.samples if self.lengths is None else self.lengths

    def layout(self) -> Layout:
        return Layout(
            num_layers=self.num_layers,
            bidirectional=self.num_directions == 2,
            steps=self.steps,
            lengths=self.lengths,
            batch=self.batch,
            batch_first=self.batch_first,
        )

    def grid(self, library: Any = np) -> StateGrid:
        """Codes as values; NaN at padded steps, which nothing may ever read."""
        hidden, cell = (library.asarray(self._codes(kind)) for kind in SIZES)
        return StateGrid(hidden, cell, self.lengths, self.batch_first, self.batch is not None)

    def _codes(self, kind: Kind) -> npt.NDArray[np.float64]:
        axes = (self.num_layers, self.num_directions, self.steps, self.samples)
        codes = np.full((*axes, SIZES[kind]), np.nan)
        for layer, direction, step, sample in product(*map(range, axes)):
            if step < self.real[sample]:
                address = StateAddress(kind, layer, DIRECTIONS[direction], step)
                codes[layer, direction, step, sample] = code(address, sample)
        return codes


def code(address: StateAddress, sample: int) -> list[float]:
    """The value of a state: one number for each unit, and no other state has any of them."""
    number = 0
    for digit in (
        address.kind == "cell",
        address.layer,
        address.direction == "reverse",
        address.step,
        sample,
    ):
        number = 100 * number + int(digit) + 1
    return [float(10 * number + unit) for unit in range(SIZES[address.kind])]


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Any run: layers, directions, steps, no lengths or any, unbatched, batch 0, batch first."""
    steps = draw(st.integers(1, 6))
    batch = draw(st.none() | st.integers(0, 4))
    ragged = st.lists(st.integers(1, steps), min_size=batch or 0, max_size=batch or 0)
    return Run(
        num_layers=draw(st.integers(1, 4)),
        num_directions=draw(st.integers(1, 2)),
        steps=steps,
        lengths=None if batch is None else draw(st.none() | ragged),
        batch=batch,
        batch_first=draw(st.booleans()),
    )
