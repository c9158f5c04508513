"""What a tensor that was selected, returned or found holds, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..grid import StackShape, StateAddress

Making = Literal["sum", "mean", "max", "min", "chosen", "computed"]
MAKINGS: tuple[Making, ...] = get_args(Making)


@dataclass(frozen=True, slots=True)
class Source:
    """A unit of a state of a sample; without an address, a place where the sample has no step."""

    sample: int
    address: StateAddress | None
    unit: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring elements of a tensor that hold neighbouring units.

    Attributes:
        start: the first element, counted in the order of the tensor.
        count: how many elements; each one's units are one more than those of the element before.
        sources: what the first element comes from; empty when no state was found in it.
        by: how the sources were brought together; empty when the element is its source.
    """

    start: int
    count: int
    sources: tuple[Source, ...]
    by: tuple[Making, ...] = ()

    def element(self, place: int) -> tuple[Source, ...]:
        """The sources of one of its elements, counted from the first."""
        return tuple(
            source
            if source.address is None
            else Source(source.sample, source.address, source.unit + place)
            for source in self.sources
        )


@dataclass(frozen=True, slots=True)
class SelectionPart:
    """The addresses of every element of a tensor.

    Attributes:
        expression: what gives the tensor, as one writes it.
        origin: what it was selected from, such as `torch.nn.LSTM`.
        framework: whose names and axes the expression uses.
        shape: the recurrent stack.
        steps: columns of the grid, padding included.
        lengths: real steps of each sample.
        sizes: the axes of the tensor.
        pieces: its elements, without a gap, in order.
        batch_first: whether `output` is (batch, step, ...).
        padding: what an element is where a sample has no step, in words.
        notes: what the caller has to say beside.
    """

    expression: str
    origin: str
    framework: str
    shape: StackShape
    steps: int
    lengths: tuple[int, ...]
    sizes: tuple[int, ...]
    pieces: tuple[Piece, ...]
    batch_first: bool = False
    padding: str = "0"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        place = 0
        for piece in self.pieces:
            if piece.start != place or piece.count < 1:
                raise ValueError(f"the pieces have a gap or an overlap at element {place}.")
            place += piece.count
        if place != int(np.prod(self.sizes)):
            raise ValueError(f"the pieces have {place} elements and the tensor {self.sizes}.")

    def at(self, *index: int) -> tuple[Source, ...]:
        """What one element comes from.

        Args:
            index: one integer for each axis of the tensor.

        Raises:
            IndexError: there is no such element.
        """
        if len(index) != len(self.sizes):
            raise IndexError(f"{len(index)} integers do not name an element of shape {self.sizes}.")
        if not all(-size <= n < size for n, size in zip(index, self.sizes, strict=True)):
            raise IndexError(f"there is no element {index} in a tensor of shape {self.sizes}.")
        wrapped = [n % size for n, size in zip(index, self.sizes, strict=True)]
        place = int(np.ravel_multi_index(wrapped, self.sizes)) if self.sizes else 0
        starts = [piece.start for piece in self.pieces]
        piece = self.pieces[int(np.searchsorted(starts, place, side="right")) - 1]
        return piece.element(place - piece.start)

    def __iter__(self) -> Iterator[tuple[Source, ...]]:
        """What each element comes from, in order."""
        for piece in self.pieces:
            for place in range(piece.count):
                yield piece.element(place)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The known traps that it falls into, the gravest first."""
        from ._selection_traps import selection_traps

        return selection_traps(self)

    def __str__(self) -> str:
        from ._selection_words import selection_sentences

        return "\n".join(map(str, selection_sentences(self)))

    def addresses(self, sample: int) -> frozenset[StateAddress]:
        """The states of one sample that are in the tensor."""
        return frozenset(
            source.address
            for piece in self.pieces
            for source in piece.sources
            if source.sample == sample and source.address is not None
        )
