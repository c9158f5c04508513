"""One integer for each unit of each state of each sample, so that NumPy can carry addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..grid import DIRECTIONS, KINDS, Layout, Slots, StackShape, StateAddress

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StateCodes:
    """The codes of a stack over a batch.

    A code counts (sample, kind, layer, direction, step, unit), the unit fastest, so neighbouring
    units of one state have neighbouring codes.

    Attributes:
        shape: the stack.
        steps: columns of the grid, padding included.
        batch: samples.
    """

    shape: StackShape
    steps: int
    batch: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Sizes of (sample, kind, layer, direction, step, unit)."""
        shape = self.shape
        units = max(shape.state_size, shape.cell_size)
        kinds = 1 + shape.has_cell_state
        return self.batch, kinds, shape.num_layers, shape.num_directions, self.steps, units

    @property
    def padding(self) -> int:
        """The first code of padding: behind it a code is a sample without a step."""
        return int(np.prod(self.axes, dtype=object))

    def of_slots(self, slots: Slots, sample: Integers, units: int) -> Integers:
        """Codes of a tensor's slots, an axis of units added at the end.

        Args:
            slots: the addresses, as `Layout` has them.
            sample: of each slot; anything that broadcasts to the slots.
            units: features of one state in this tensor.
        """
        step = np.maximum(slots.step, 0)
        fields = (sample, KINDS.index(slots.kind), slots.layer, slots.direction, step)
        columns = [np.broadcast_to(field, slots.shape)[..., None] for field in fields]
        codes = np.ravel_multi_index(
            np.broadcast_arrays(*columns, np.arange(units)),
            self.axes,
        )
        padding = np.broadcast_to(self.padding + sample, slots.shape)
        return np.where(slots.step[..., None] >= 0, codes, padding[..., None]).astype(np.int64)

    def output(self, layout: Layout) -> Integers:
        """Codes of `output` in a batched layout: (step, batch, direction * unit) or batch first."""
        sample = np.arange(self.batch)[:, None]
        sample = sample[:, None] if layout.batch_first else sample[None]
        codes = self.of_slots(layout.output, sample, self.shape.state_size)
        return codes.reshape(*codes.shape[:2], -1)

    def hidden_state(self, layout: Layout) -> Integers:
        """Codes of `hidden_state`: (layer * direction, batch, unit)."""
        sample = np.arange(self.batch)
        return self.of_slots(layout.hidden_state, sample, self.shape.state_size)

    def cell_state(self, layout: Layout) -> Integers:
        """Codes of `cell_state`: (layer * direction, batch, unit)."""
        sample = np.arange(self.batch)
        return self.of_slots(layout.cell_state, sample, self.shape.cell_size)

    def fields(self, codes: Integers) -> tuple[Integers, ...]:
        """(sample, kind, layer, direction, step, unit) of each code; no code may be padding."""
        return tuple(np.asarray(field) for field in np.unravel_index(codes, self.axes))

    def named(self, code: int) -> tuple[int, StateAddress, int]:
        """Sample, address and unit of one code."""
        sample, kind, layer, direction, step, unit = map(int, np.unravel_index(code, self.axes))
        return sample, StateAddress(KINDS[kind], layer, DIRECTIONS[direction], step), unit
