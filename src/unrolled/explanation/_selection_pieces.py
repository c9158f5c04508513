"""From arrays of codes to pieces that can be named."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._address_tensor import NOTHING
from ._selection_fault import SelectionFault
from ._selection_part import MAKINGS, Piece, Source
from ._state_codes import Integers, StateCodes

MOST_SOURCES = 200_000


def pieces_of(sources: Integers, by: npt.NDArray[np.uint8], codes: StateCodes) -> tuple[Piece, ...]:
    """The pieces that a tensor falls into.

    Args:
        sources: codes each element comes from, (*shape, source); `NOTHING` where there are fewer.
        by: what made each element, a bit for each of `MAKINGS`, in the tensor's shape.
        codes: what the codes mean.

    Raises:
        SelectionFault: there are too many pieces to be told.
    """
    size = by.size
    if size == 0:
        return ()
    last = by.shape[-1] if by.ndim else 1
    flat, made = np.sort(sources.reshape(size, -1), axis=1), by.reshape(-1)
    if flat.shape[1] > 1:
        flat[:, 1:][flat[:, 1:] == flat[:, :-1]] = NOTHING  # a source counts once
        flat = np.sort(flat, axis=1)
    real = (flat >= 0) & (flat < codes.padding)
    units = codes.axes[-1]
    fresh = np.ones(size, bool)
    rises = np.where(real[1:], 1, 0)
    goes_on = (flat[1:] - flat[:-1] == rises) & (real[1:] == real[:-1])
    goes_on &= ~real[1:] | (flat[1:] % units != 0)
    fresh[1:] = ~goes_on.all(axis=1) | (made[1:] != made[:-1])
    fresh[::last] = True
    starts = np.flatnonzero(fresh)
    if starts.size * flat.shape[1] > MOST_SOURCES:
        raise SelectionFault(
            f"this falls into {starts.size:,} pieces of {flat.shape[1]} sources, too many to be "
            "told; take fewer steps, samples or units"
        )
    counts = np.diff([*starts, size])
    found = []
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        row = [_source(code, codes) for code in flat[start].tolist() if code != NOTHING]
        making = tuple(name for bit, name in enumerate(MAKINGS) if made[start] >> bit & 1)
        found.append(Piece(start, count, tuple(row), making))
    return tuple(found)


def _source(code: int, codes: StateCodes) -> Source:
    if code >= codes.padding:
        return Source(code - codes.padding, None)
    return Source(*codes.named(code))
