"""The elements of a tensor that hold the same kind, layer and direction, taken together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..grid import Direction, Kind
from ._selection_part import Making, Piece, SelectionPart

Lane = tuple[Kind, int, Direction]
"""A kind of state of one layer and direction, at whatever step."""


@dataclass(slots=True)
class SelectionGroup:
    """Elements that are told in one sentence, or in one for each sample.

    Attributes:
        lanes: the lanes that the elements come from; empty for padding and for what is no state.
        by: how their sources were brought together; empty when each is its source.
        padding: whether they stand where a sample has no step.
        places: the flat index of each element, by the samples it comes from.
        steps: the steps taken of each lane, by sample.
        padded: samples that have padding among the sources, beside states.
        spread: whether one element comes from several steps of a lane.
    """

    lanes: tuple[Lane, ...]
    by: tuple[Making, ...]
    padding: bool
    places: dict[tuple[int, ...], list[npt.NDArray[np.int64]]] = field(default_factory=dict)
    steps: dict[int, dict[Lane, set[int]]] = field(default_factory=dict)
    padded: set[int] = field(default_factory=set)
    spread: bool = False

    @property
    def samples(self) -> tuple[int, ...]:
        """The samples that are in it."""
        return tuple(sorted({sample for samples in self.places for sample in samples}))

    def elements(self, samples: Collection[int] | None = None) -> npt.NDArray[np.int64]:
        """Flat indices of its elements, or of those that come from these samples."""
        wanted = None if samples is None else set(samples)
        found = [
            array
            for one, arrays in self.places.items()
            for array in arrays
            if wanted is None or not one or not wanted.isdisjoint(one)
        ]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def _add(self, piece: Piece) -> None:
        samples = tuple(sorted({source.sample for source in piece.sources}))
        elements = np.arange(piece.start, piece.start + piece.count)
        self.places.setdefault(samples, []).append(elements)
        met: set[tuple[int, Lane]] = set()
        for source in piece.sources:
            address = source.address
            if address is None:
                if self.lanes:
                    self.padded.add(source.sample)
                continue
            lane = (address.kind, address.layer, address.direction)
            self.spread |= (source.sample, lane) in met
            met.add((source.sample, lane))
            lanes = self.steps.setdefault(source.sample, {})
            lanes.setdefault(lane, set()).add(address.step)


def selection_groups(part: SelectionPart) -> list[SelectionGroup]:
    """The groups of a tensor, in the order in which they begin."""
    found: dict[tuple[tuple[Lane, ...], tuple[Making, ...], bool], SelectionGroup] = {}
    for piece in part.pieces:
        addresses = [source.address for source in piece.sources if source.address is not None]
        lanes = tuple(
            dict.fromkeys((one.kind, one.layer, one.direction) for one in sorted(addresses))
        )
        key = (lanes, piece.by if addresses else (), bool(piece.sources) and not addresses)
        found.setdefault(key, SelectionGroup(*key))._add(piece)
    return list(found.values())
