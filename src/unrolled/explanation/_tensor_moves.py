"""PyTorch's operations that move elements, on NumPy arrays and with PyTorch's meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._address_tensor import check_size
from ._selection_fault import SelectionFault

Array = npt.NDArray[Any]


def axis_of(dim: object, axes: int, what: str = "dim") -> int:
    """An axis counted from the front.

    Args:
        dim: as given; negative counts from the back.
        axes: how many there are.
        what: whose it is, for the message.

    Raises:
        SelectionFault: it is no integer, or there is no such axis.
    """
    number = integer(dim, what)
    axes = max(axes, 1)  # PyTorch lets a number without axes have axis 0
    if not -axes <= number < axes:
        raise SelectionFault(
            f"{what} is {number}; a tensor of {axes} axes has 0 to {axes - 1}, or -1 to {-axes}"
        )
    return number % axes


def integer(value: object, what: str) -> int:
    """A plain integer.

    Raises:
        SelectionFault: it is none.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int):
        raise SelectionFault(f"{what} must be a whole number")
    return value


def integers(values: tuple[Any, ...], what: str) -> list[int]:
    """Sizes or axes, given one by one or as one tuple or list.

    Raises:
        SelectionFault: one is no integer, or nothing is given.
    """
    if not values:
        raise SelectionFault(f"{what} is missing")
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = tuple(values[0])
    return [integer(value, what) for value in values]


def _has_axes(array: Array, what: str) -> None:
    if not array.ndim:
        raise SelectionFault(f"{what} cuts along an axis, and a single number has none")


def _different(axes: Sequence[int], what: str) -> None:
    if len(set(axes)) != len(axes):
        raise SelectionFault(f"{what} names an axis twice")


def reshape(array: Array, *shape: Any) -> Array:
    """Elements in C order in another shape; one size may be -1."""
    sizes = integers(shape, "the shape")
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise SelectionFault("a shape has whole numbers and at most one -1")
    known = int(np.prod([size for size in sizes if size != -1], dtype=object))
    if -1 in sizes and known and array.size % known == 0:
        sizes[sizes.index(-1)] = array.size // known
        known = array.size
    if -1 in sizes or known != array.size:
        given = ", ".join(map(str, sizes))
        raise SelectionFault(
            f"{array.size} elements of shape {array.shape} do not fit the shape ({given})"
        )
    return array.reshape(sizes)


def view(array: Array, *shape: Any) -> Array:
    """As `reshape`, but refused where PyTorch would have to copy."""
    found = reshape(array, *shape)
    if array.size and not np.may_share_memory(found, array):
        raise SelectionFault(
            f"view can't make the shape {found.shape} here, since axes were exchanged before it; "
            "PyTorch refuses it too: write reshape, and mind the order of the axes"
        )
    return found


def transpose(array: Array, dim0: object, dim1: object) -> Array:
    """Two axes exchanged."""
    axes = axis_of(dim0, array.ndim), axis_of(dim1, array.ndim)
    return array.swapaxes(*axes) if array.ndim else array


def permute(array: Array, *dims: Any) -> Array:
    """All axes in another order."""
    axes = [axis_of(dim, array.ndim) for dim in integers(dims, "dims")]
    _different(axes, "permute")
    if len(axes) != array.ndim:
        raise SelectionFault(f"permute names {len(axes)} axes of {array.ndim}; name each once")
    return array.transpose(axes)


def squeeze(array: Array, *dim: Any) -> Array:
    """Axes of size 1 removed: all, or those named."""
    if not dim:
        return array.squeeze()
    axes = [axis_of(value, array.ndim) for value in integers(dim, "dim")]
    _different(axes, "squeeze")
    return array.squeeze(tuple(a for a in axes if array.ndim and array.shape[a] == 1))


def unsqueeze(array: Array, dim: object) -> Array:
    """An axis of size 1 put in."""
    return np.expand_dims(array, axis_of(dim, array.ndim + 1))


def flip(array: Array, *dims: Any) -> Array:
    """Axes turned round; a copy, as in PyTorch."""
    axes = [axis_of(dim, array.ndim) for dim in integers(dims, "dims")]
    _different(axes, "flip")
    return np.ascontiguousarray(np.flip(array, tuple(axes))) if array.ndim else array


def flatten(array: Array, start_dim: object = 0, end_dim: object = -1) -> Array:
    """Neighbouring axes as one."""
    first, last = axis_of(start_dim, array.ndim), axis_of(end_dim, array.ndim)
    if first > last:
        raise SelectionFault(f"flatten begins at axis {first}, behind its end, axis {last}")
    size = int(np.prod(array.shape[first : last + 1]))
    return array.reshape(*array.shape[:first], size, *array.shape[last + 1 :])


def expand(array: Array, *sizes: Any) -> Array:
    """Axes of size 1 repeated, and axes put in front; -1 leaves an axis as it is."""
    wanted = integers(sizes, "the sizes")
    new = len(wanted) - array.ndim
    if new < 0 or min(wanted, default=0) < -1 or -1 in wanted[:new]:
        raise SelectionFault(f"expand has a size for each axis of {array.shape} and for new ones")
    shape = [
        old if size == -1 else size
        for size, old in zip(wanted, (1,) * new + array.shape, strict=True)
    ]
    check_size(int(np.prod(shape, dtype=object)), "expand")
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise SelectionFault(f"expand can't make {tuple(shape)} of {array.shape}") from None


def contiguous(array: Array) -> Array:
    """The same elements, in order in memory."""
    return np.ascontiguousarray(array).reshape(array.shape)


def split(array: Array, sizes: Any, dim: object = 0) -> list[Array]:
    """Pieces of one size, the last one smaller, or of the sizes given."""
    axis = axis_of(dim, array.ndim)
    _has_axes(array, "split")
    length = array.shape[axis]
    if isinstance(sizes, tuple | list):
        lengths = integers((sizes,), "the sizes")
        if sum(lengths) != length or min(lengths, default=0) < 0:
            raise SelectionFault(f"split's sizes must add up to {length}, the size of axis {axis}")
    else:
        size = integer(sizes, "the size")
        if size < 1:
            raise SelectionFault(f"split makes pieces of {size}; it must be 1 or more")
        lengths = [min(size, length - start) for start in range(0, length, size)] or [0]
    return np.split(array, list(np.cumsum(lengths)[:-1]), axis)


def chunk(array: Array, chunks: object, dim: object = 0) -> list[Array]:
    """At most so many pieces of one size, the last one smaller."""
    number, axis = integer(chunks, "the number of chunks"), axis_of(dim, array.ndim)
    if number < 1:
        raise SelectionFault(f"chunk makes {number} pieces; it must be 1 or more")
    _has_axes(array, "chunk")
    return split(array, max(1, -(-array.shape[axis] // number)), axis)


def gather(array: Array, dim: object, index: object) -> Array:
    """Along one axis, the elements whose places the index tells."""
    axis = axis_of(dim, array.ndim)
    if not isinstance(index, np.ndarray) or index.ndim != array.ndim:
        raise SelectionFault(f"gather needs an index of {array.ndim} axes, as the tensor has")
    if not array.ndim:
        return gather(array.reshape(1), dim, index.reshape(1)).reshape(())
    fits = [index.shape[d] <= array.shape[d] for d in range(array.ndim) if d != axis]
    if not all(fits):
        raise SelectionFault(
            f"gather has an index of shape {index.shape}, larger than the tensor, {array.shape}"
        )
    if index.size and not (index.min() >= 0 and index.max() < array.shape[axis]):
        raise SelectionFault(
            f"gather has indices {index.min()} to {index.max()} and axis {axis} has size "
            f"{array.shape[axis]}; they must be 0 to {array.shape[axis] - 1}"
        )
    check_size(index.size, "gather")
    cut = tuple(slice(None) if d == axis else slice(n) for d, n in enumerate(index.shape))
    return np.take_along_axis(array[cut], index, axis)


def index(array: Array, item: Any) -> Array:
    """What stands in square brackets: PyTorch picks by integers first, then by lists and tensors.

    NumPy does both at once, which puts the axes elsewhere in cases such as `x[0, :, [1, 2]]`.
    """
    items = list(item) if isinstance(item, tuple) else [item]
    items = [_as_index(one) for one in items]
    taken = sum(one is not None and one is not Ellipsis for one in items)
    if taken > array.ndim:
        raise SelectionFault(f"{taken} indices are too many for {array.ndim} axes, {array.shape}")
    items = _with_one_ellipsis(items, all_taken=taken == array.ndim)
    rest = [slice(None)] * (array.ndim - taken)
    place = next((n for n, one in enumerate(items) if one is Ellipsis), None)
    items = [*items, *rest] if place is None else items[:place] + rest + items[place + 1 :]
    axis, plain, lists = 0, [], []
    for one in items:
        if one is not None:
            _check_range(one, axis, array.shape[axis])
            axis += 1
        plain.append(slice(None) if isinstance(one, np.ndarray) else one)
        if not isinstance(one, int):
            lists.append(one if isinstance(one, np.ndarray) else slice(None))
    array = array[(*plain, ...)]  # with the dots a single element is an array too
    if not any(isinstance(one, np.ndarray) for one in lists):
        return array
    try:
        shape = np.broadcast_shapes(*(one.shape for one in lists if isinstance(one, np.ndarray)))
    except ValueError:
        raise SelectionFault("the lists in one index have sizes that do not fit") from None
    kept = [n for one, n in zip(lists, array.shape, strict=True) if isinstance(one, slice)]
    check_size(int(np.prod([*shape, *kept], dtype=object)), "this index")
    return contiguous(array[tuple(lists)])


def _with_one_ellipsis(items: list[Any], all_taken: bool) -> list[Any]:
    """The first '...' alone; PyTorch lets others stand where they stand for no axes."""
    places = [place for place, one in enumerate(items) if one is Ellipsis]
    for place in places[1:]:
        if not all_taken and any(one is not Ellipsis for one in items[place:]):
            raise SelectionFault("one index has at most one '...'")
    return [one for place, one in enumerate(items) if place not in places[1:]]


def _as_index(item: Any) -> Any:
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        bounds = [
            None if bound is None else integer(bound, "a bound of a slice")
            for bound in (item.start, item.stop, item.step)
        ]
        if bounds[2] is not None and bounds[2] < 1:
            raise SelectionFault(f"a slice has step {bounds[2]}; PyTorch takes 1 or more, use flip")
        return slice(*bounds)
    if isinstance(item, list):
        item = integer_array(item)
    if isinstance(item, np.ndarray) and item.ndim:
        return item
    return integer(item, "an index")


def integer_array(items: Sequence[Any]) -> Array:
    """A list of integers, or of such lists, as an array.

    Raises:
        SelectionFault: it holds something else, or lists of unequal size.
    """
    plain = [one.tolist() if isinstance(one, np.ndarray) else one for one in items]
    try:
        found = np.asarray(plain)
    except (ValueError, OverflowError):
        found = np.asarray(None)
    if not found.size:
        found = found.astype(np.int64) if found.dtype == np.float64 else found
    if found.dtype != np.int64:
        raise SelectionFault("a list must hold whole numbers, or lists of one size that do")
    return found


def _check_range(item: Any, axis: int, size: int) -> None:
    if isinstance(item, slice):
        return
    least, most = (item, item) if isinstance(item, int) else (0, -1)
    if isinstance(item, np.ndarray) and item.size:
        least, most = int(item.min()), int(item.max())
    if least < -size or most >= size:
        wrong = least if least < -size else most
        raise SelectionFault(
            f"index {wrong} is out of range: axis {axis} has size {size}"
            + (f", use 0 to {size - 1} or -1 to {-size}" if size else "")
        )
