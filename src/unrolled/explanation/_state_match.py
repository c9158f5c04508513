"""Which states the values of a tensor are, found by comparing it with a recorded run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..grid import StackShape, StateGrid
from ._address_tensor import NOTHING
from ._selection_part import MAKINGS
from ._state_codes import Integers, StateCodes

Values = npt.NDArray[np.float64]

TOLERANCE = 1e-5
SURE = 0.99
"""Where so many values are equal to a state's, they are of this run and not equal by chance."""
SHORTEST_RUN = 3
"""Otherwise a value counts only where so many neighbours, itself among them, fit in a row."""
MOST_CANDIDATES = 64
MOST_RIVALS = 2
MOST_COMPARED = 50_000


def grid_shape(grid: StateGrid) -> StackShape:
    """The shape of a recorded run; its input is not known, and of the cell only whether it has c.

    Args:
        grid: the run.
    """
    hidden = int(grid.hidden.shape[-1])
    size = hidden if grid.cell is None else int(grid.cell.shape[-1])
    return StackShape(
        "gru" if grid.cell is None else "lstm",
        0,
        size,
        grid.num_layers,
        grid.num_directions == 2,
        proj_size=0 if hidden == size else hidden,
    )


def state_values(grid: StateGrid, codes: StateCodes) -> Values:
    """The value of each code; not a number where there is no state.

    Args:
        grid: the run.
        codes: of its shape.
    """
    found = np.full(codes.axes, np.nan)
    for kind, values in enumerate((grid.hidden, grid.cell)):
        if values is not None:
            moved = numbers_of(values).transpose(3, 0, 1, 2, 4)
            found[:, kind, ..., : moved.shape[-1]] = moved
    real = np.arange(grid.steps)[None, :] < grid.lengths[:, None]
    found[~np.broadcast_to(real[:, None, None, None, :], found.shape[:-1])] = np.nan
    return found.reshape(-1)


def numbers_of(array: Any) -> Values:
    """The values of an array or a tensor, whatever its type, device and gradient.

    Raises:
        UsageError: they are no real numbers, or there are none.
    """
    kind = str(array.dtype).removeprefix("torch.")
    if "complex" in kind:
        raise UsageError(f"the tensor is of {kind} and states are real; give .real or .imag of it")
    if hasattr(array, "detach"):
        if array.device.type == "meta":
            raise UsageError("the tensor is on the device 'meta', where nothing has a value")
        return np.asarray(array.detach().to_dense().cpu().double())
    if array.dtype.kind not in "fiub":
        raise UsageError(f"the tensor is of {kind}, and states are numbers; give a numeric one")
    return np.asarray(array, np.float64)


class StateMatch:
    """Finds the code of each value of a tensor.

    Among a million numbers of single precision some are equal by chance. So an equal value is taken
    for a state if nearly all values of the tensor are equal to some state's, or else if its
    neighbours in the row are the neighbouring units. Where nothing is equal, as after another
    engine's rounding, near values count if neighbours fit too. Of several states that share a
    value, that one is taken which continues its neighbours, or else which is of the sample that
    the place is of.

    Attributes:
        sources: a code for each element, `NOTHING` where no state fits.
        by: "computed" where no state fits, else nothing.
        shared: how many elements have a value that several states share.
        near: how many elements are near a state's value and not equal.
        rivals: the codes that share the value of the first such element, a few of them.
    """

    def __init__(self, tensor: Any, values: Values, codes: StateCodes, lengths: Integers) -> None:
        self.codes = codes
        given = numbers_of(tensor)
        finite = np.flatnonzero(np.isfinite(values))
        self.order = finite[np.argsort(values[finite], kind="stable")]
        self.sorted = values[self.order]
        flat = given.reshape(-1)
        last = given.shape[-1] if given.ndim else 1
        found = np.full(flat.size, NOTHING, np.int64)
        low, high = self._between(flat, flat)
        once = high - low == 1
        found[once] = self.order[low[once]]
        equal = high > low
        several = high - low > 1
        self.shared = int(several.sum())
        first = int(np.argmax(several)) if self.shared else 0
        self.rivals: list[int] = []
        if self.shared:
            self.rivals = self.order[low[first] : high[first]][:MOST_RIVALS].tolist()
        sure = equal.sum() >= SURE * np.count_nonzero(flat)
        if not sure:
            alone = _run_lengths(found, last) < min(SHORTEST_RUN, last)
            found[alone] = NOTHING
        axis = self._batch_axis(found.reshape(given.shape))
        self.samples = self._samples(given.shape, axis)
        if sure:
            self._resolve(found, np.flatnonzero(several), low, high, last, shortest=1)
        else:
            known = np.where(np.isfinite(flat), flat, 0)
            room = TOLERANCE * np.maximum(np.abs(known), 0.1)
            low, high = self._between(known - room, known + room)
            missing = np.flatnonzero((found == NOTHING) & (known != 0))[:MOST_COMPARED]
            self._resolve(found, missing, low, high, last, shortest=min(SHORTEST_RUN, last))
        self.near = int(((found != NOTHING) & ~equal).sum())
        short = np.flatnonzero(lengths < codes.steps)
        zero = (found == NOTHING) & (flat == 0) & np.isin(self.samples, short)
        found[zero] = codes.padding + self.samples[zero]
        bit = np.uint8(1 << MAKINGS.index("computed"))
        self.by = np.where(found == NOTHING, bit, 0).astype(np.uint8).reshape(given.shape)
        self.sources = found.reshape(*given.shape, 1)

    def _between(self, least: Values, most: Values) -> tuple[Integers, Integers]:
        """The states whose values lie between, as places in `order`."""
        low = np.searchsorted(self.sorted, least, side="left")
        return low, np.searchsorted(self.sorted, most, side="right")

    def _samples(self, shape: tuple[int, ...], axis: int | None) -> Integers:
        """The sample that each place is of; -1 where that is not known."""
        samples = np.full(shape, -1, np.int64)
        if axis is not None:
            around = [1] * len(shape)
            around[axis] = -1
            samples[...] = np.arange(shape[axis]).reshape(around)
        return samples.reshape(-1)

    def _batch_axis(self, found: Integers) -> int | None:
        """The axis whose index is the sample, as far as the sure elements tell."""
        sure = found != NOTHING
        unit = int(np.prod(self.codes.axes[1:]))
        for axis, size in enumerate(found.shape[:-1]):
            around = [1] * found.ndim
            around[axis] = -1
            index = np.broadcast_to(np.arange(size).reshape(around), found.shape)
            if size == self.codes.batch and (found[sure] // unit == index[sure]).all():
                return axis
        return None

    def _resolve(
        self,
        found: Integers,
        places: Integers,
        low: Integers,
        high: Integers,
        last: int,
        shortest: int,
    ) -> None:
        """Choose among several codes by the longest run of neighbours, row by row."""
        for row in np.split(places, np.flatnonzero(np.diff(places // last)) + 1):
            candidates = {
                int(place): set(self.order[low[place] : high[place]][:MOST_CANDIDATES].tolist())
                for place in row
            }
            begun = (row[0] // last) * last if row.size else 0
            for place in range(begun, begun + last if row.size else begun):
                if found[place] != NOTHING:
                    candidates[place] = {int(found[place])}
            back, ahead = _runs(candidates, 1), _runs(candidates, -1)
            for place in row:
                place = int(place)
                ranked = [
                    (
                        -(back[place, code] + ahead[place, code]),
                        self.named_sample(code) != self.samples[place],
                        code,
                    )
                    for code in candidates[place]
                ]
                if ranked and 1 - min(ranked)[0] - 2 >= shortest:
                    found[place] = min(ranked)[2]

    def named_sample(self, code: int) -> int:
        """The sample of a code."""
        return code // int(np.prod(self.codes.axes[1:]))


def _run_lengths(found: Integers, last: int) -> Integers:
    """In how long a run of neighbouring units each element stands, within its row."""
    fresh = np.ones(found.size, bool)
    fresh[1:] = (found[1:] != found[:-1] + 1) | (found[:-1] == NOTHING)
    fresh[::last] = True
    begins = np.flatnonzero(fresh)
    lengths = np.diff([*begins, found.size])
    return np.repeat(lengths, lengths)


def _runs(candidates: dict[int, set[int]], way: int) -> dict[tuple[int, int], int]:
    """How many neighbours on one side continue each candidate, itself counted."""
    found: dict[tuple[int, int], int] = {}
    for place in sorted(candidates, reverse=way < 0):
        for code in candidates[place]:
            found[place, code] = 1 + found.get((place - way, code - way), 0)
    return found
