"""How many real steps each sample has."""

from typing import Any

import numpy as np
import numpy.typing as npt


def check_lengths(
    lengths: Any, *, batch: int, steps: int, allow_none: bool = True
) -> npt.NDArray[np.int64]:
    """Turn lengths into an integer array, one per sample, each from 1 to `steps`.

    Args:
        lengths: integers, shape (batch,): a sequence, an array, or a tensor on any device;
            `None` means that every step is real.
        batch: samples.
        steps: columns of the grid, padding included.
        allow_none: whether `None` is accepted.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: there is not one per sample, or one is below 1 or above `steps`.
    """
    if lengths is None and allow_none:
        return np.full(batch, steps, dtype=np.int64)
    array = lengths_array(lengths)
    if array.shape != (batch,):
        raise ValueError(
            f"lengths have shape {tuple(array.shape)}; give one length per sample, "
            f"shape ({batch},)."
        )
    wrong = np.flatnonzero((array < 1) | (array > steps))
    if wrong.size:
        sample = int(wrong[0])
        raise ValueError(
            f"the length of sample {sample} is {int(array[sample])}; "
            f"it must be between 1 and the number of steps, {steps}."
        )
    return array


def lengths_array(lengths: Any) -> npt.NDArray[np.int64]:
    """Turn lengths of whatever form into a new array of integers.

    Raises:
        TypeError: the lengths are not integers.
    """
    if not isinstance(lengths, np.ndarray) and hasattr(lengths, "tolist"):
        lengths = lengths.tolist()  # the one way that works for a tensor on any device
    try:
        array = np.asarray(lengths)
    except ValueError:  # rows of unequal size
        array = np.asarray(lengths, dtype=object)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"lengths are {_kind(array)}; they must be integers.")
    return array.astype(np.int64)


def _kind(array: npt.NDArray[Any]) -> str:
    """What came in place of integers."""
    if array.dtype.kind in "US":
        return "text"
    return "not numbers of one kind and range" if array.dtype == object else str(array.dtype)
