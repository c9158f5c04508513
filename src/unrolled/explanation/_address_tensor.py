"""A tensor that holds, in place of each value, the addresses the value would come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._selection_fault import SelectionFault
from ._state_codes import Integers

MOST_ELEMENTS = 4_000_000
NOTHING = -1  # fills the rows of a table that have fewer sources than others

REDUCTIONS = ("sum", "mean", "max", "min")
Bits = npt.NDArray[np.uint8]


def check_size(elements: int, what: str) -> None:
    """Refuse what would not fit, before it is made.

    Raises:
        SelectionFault: there are too many elements.
    """
    if elements > MOST_ELEMENTS:
        raise SelectionFault(
            f"{what} would need {elements:,} elements and at most {MOST_ELEMENTS:,} are followed; "
            "take fewer steps, samples or units"
        )


@dataclass(frozen=True, slots=True, eq=False)
class AddressTensor:
    """Where each element comes from.

    An operation that only moves elements is that operation on `places`. A reduction makes a new
    table, in which an element has several sources.

    Attributes:
        places: row of the table of each element, in the shape of the tensor.
        table: codes of the sources of each row, (row, source); absent while a row is its own code.
        by: which of `REDUCTIONS` made each row, a bit for each; absent as the table.
    """

    places: Integers
    table: Integers | None = None
    by: Bits | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self.places.shape

    def moved(self, places: Integers) -> AddressTensor:
        """Elements of this tensor at other places."""
        return AddressTensor(places, self.table, self.by)

    def sources(self) -> tuple[Integers, Bits]:
        """Sources of each element, (*shape, source), and what made it, in the tensor's shape."""
        if self.table is None or self.by is None:
            return self.places[..., None], np.zeros(self.shape, np.uint8)
        check_size(self.places.size * self.table.shape[1], "this")
        return self.table[self.places], self.by[self.places]

    @classmethod
    def of_sources(cls, sources: Integers, by: Bits) -> AddressTensor:
        """A tensor with a table of its own."""
        places = np.arange(by.size, dtype=np.int64).reshape(by.shape)
        return cls(places, sources.reshape(by.size, sources.shape[-1]), by.reshape(-1))

    def reduced(self, axes: Sequence[int], keep: bool, how: str) -> AddressTensor:
        """Each element from all those that lie along the axes.

        Args:
            axes: which axes disappear; each counted from the front, none twice.
            keep: whether they stay with size 1.
            how: one of `REDUCTIONS`.
        """
        sizes = [self.shape[axis] for axis in axes]
        if 0 in sizes:
            what = "is 0, which is no state" if how == "sum" else "has no value"
            raise SelectionFault(f"{how} over an axis of size 0 {what}")
        sources, by = self.sources()
        behind = range(by.ndim - len(axes), by.ndim)
        by = np.moveaxis(by, list(axes), list(behind))
        sources = np.moveaxis(sources, list(axes), list(behind))
        kept = by.shape[: by.ndim - len(axes)]
        together = int(np.prod(sizes))
        made = np.bitwise_or.reduce(by.reshape(*kept, together), axis=-1)
        if together > 1:  # of a single element each reduction is that element
            made = made | np.uint8(1 << REDUCTIONS.index(how))
        sources = sources.reshape(*kept, together * sources.shape[-1])
        if keep:
            made = np.expand_dims(made, list(axes))
        return AddressTensor.of_sources(sources, made)

    @staticmethod
    def together(tensors: Sequence[AddressTensor]) -> list[AddressTensor]:
        """The same tensors over one table."""
        if all(tensor.table is tensors[0].table for tensor in tensors):
            return list(tensors)
        width, tables, bits, found, start = 1, [], [], [], 0
        for tensor in tensors:
            sources, by = tensor.sources()
            width = max(width, sources.shape[-1])
            tables.append(sources.reshape(by.size, sources.shape[-1]))
            bits.append(by.reshape(-1))
        check_size(width * sum(map(len, tables)), "this")
        filled = [
            np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=NOTHING)
            for table in tables
        ]
        table, by = np.concatenate(filled), np.concatenate(bits)
        for tensor in tensors:
            places = np.arange(start, start + tensor.places.size, dtype=np.int64)
            found.append(AddressTensor(places.reshape(tensor.shape), table, by))
            start += tensor.places.size
        return found

    def added(self, other: AddressTensor) -> AddressTensor:
        """The sum of two tensors, broadcast."""
        try:
            shape = np.broadcast_shapes(self.shape, other.shape)
        except ValueError:
            raise SelectionFault(
                f"tensors of shapes {self.shape} and {other.shape} can't be added"
            ) from None
        check_size(2 * int(np.prod(shape, dtype=object)), "this")
        spread = [t.moved(np.broadcast_to(t.places, shape)) for t in (self, other)]
        one, two = AddressTensor.together(spread)
        both = one.moved(np.stack([one.places, two.places]))
        return both.reduced([0], False, "sum")
