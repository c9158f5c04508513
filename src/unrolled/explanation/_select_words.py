"""The words of a selection: operations on tensors of addresses, and on tensors of integers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import _tensor_moves as moves
from ._address_tensor import REDUCTIONS, AddressTensor, check_size
from ._selection_fault import SelectionFault

_ONE = {
    name: getattr(moves, name)
    for name in (
        *("view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "flip", "flatten"),
        *("expand", "contiguous", "gather"),
    )
}
_MANY = {"chunk": moves.chunk, "split": moves.split}
# PyTorch takes NumPy's words too, and has names of its own for some arguments.
_OTHER_NAMES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "size": "shape",
    "split_size": "sizes",
    "split_size_or_sections": "sizes",
}


class Extremes(NamedTuple):
    """What `max(dim)` and `min(dim)` return: only the values are states."""

    values: AddressTensor


def _arguments(
    function: Callable[..., Any], name: str, given: Sequence[Any], named: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments as the function takes them."""
    named = {_OTHER_NAMES.get(key, key): value for key, value in named.items()}
    signature = inspect.signature(function)
    shown = [p for p in signature.parameters if p != "array"]
    positional = list(given)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and parameter.name in named:
            positional.append(named.pop(parameter.name))
    try:
        signature.bind(None, *positional, **named)
    except TypeError:
        raise SelectionFault(f"{name} takes ({', '.join(shown)})") from None
    return positional, named


def _reduction(how: str) -> Callable[..., Any]:
    def reduce(array: AddressTensor, dim: Any = None, keepdim: Any = False) -> Any:
        if not isinstance(keepdim, bool):
            raise SelectionFault("keepdim is True or False")
        axes = array.places.ndim
        if dim is None:
            return array.reduced(range(axes), keepdim, how) if axes else array
        pair = how in ("max", "min")
        if pair and isinstance(dim, tuple | list):
            raise SelectionFault(f"{how} takes one dim at a time")
        found = [moves.axis_of(one, axes) for one in moves.integers((dim,), "dim")]
        found = found or list(range(axes))  # PyTorch takes no axes for all of them
        if len(set(found)) != len(found):
            raise SelectionFault(f"{how} names an axis twice")
        made = array.reduced(found, keepdim, how) if axes else array
        return Extremes(made) if pair else made

    return reduce


_REDUCE = {how: _reduction(how) for how in REDUCTIONS}


def _tensors(given: Any, name: str) -> list[AddressTensor]:
    if not isinstance(given, tuple | list) or not given:
        raise SelectionFault(f"{name} takes a list of tensors")
    if not all(isinstance(one, AddressTensor) for one in given):
        raise SelectionFault(f"{name} takes tensors of states only")
    return list(given)


def _cat(tensors: Any, dim: Any = 0) -> AddressTensor:
    found = _tensors(tensors, "cat")
    first = found[0].shape
    axis = moves.axis_of(dim, len(first))
    for one in found:
        others = [
            [size for place, size in enumerate(shape) if place != axis]
            for shape in (first, one.shape)
        ]
        if not first or len(one.shape) != len(first) or others[0] != others[1]:
            raise SelectionFault(
                f"cat can't join shapes {first} and {one.shape} along axis {axis}: "
                "all other axes must be of one size"
            )
    joined = AddressTensor.together(found)
    check_size(sum(one.places.size for one in joined), "cat")
    return joined[0].moved(np.concatenate([one.places for one in joined], axis))


def _stack(tensors: Any, dim: Any = 0) -> AddressTensor:
    found = _tensors(tensors, "stack")
    axis = moves.axis_of(dim, len(found[0].shape) + 1)
    if any(one.shape != found[0].shape for one in found):
        raise SelectionFault("stack takes tensors of one shape")
    joined = AddressTensor.together(found)
    check_size(sum(one.places.size for one in joined), "stack")
    return joined[0].moved(np.stack([one.places for one in joined], axis))


def _arange(*bounds: Any) -> Any:
    ends = [moves.integer(bound, "a bound of arange") for bound in bounds]
    if not 1 <= len(ends) <= 3 or (len(ends) == 3 and ends[2] == 0):
        raise SelectionFault("arange takes (end), (start, end) or (start, end, step)")
    numbers = range(*ends)
    check_size(len(numbers), "arange")
    return np.fromiter(numbers, np.int64, len(numbers))


METHODS = (*_ONE, *_MANY, *REDUCTIONS)
_METHODS_ONLY = ("view", "expand", "contiguous")
FUNCTIONS = ("cat", "stack", "arange", *(name for name in METHODS if name not in _METHODS_ONLY))
_JOIN: dict[str, Callable[..., Any]] = {"cat": _cat, "stack": _stack, "arange": _arange}
_SAME = {"concat": "cat", "concatenate": "cat"}


def known(name: str, function: bool) -> bool:
    """Whether there is such a function, or such a method of a tensor."""
    return (_SAME.get(name, name) in FUNCTIONS) if function else name in METHODS


def apply(name: str, given: Sequence[Any], named: dict[str, Any]) -> Any:
    """A method on its tensor, which comes first, or a function on its arguments.

    Raises:
        SelectionFault: the arguments do not fit.
    """
    name = _SAME.get(name, name)
    if name in _JOIN:
        positional, words = _arguments_of_join(name, given, named)
        return _JOIN[name](*positional, **words)
    if not given:
        raise SelectionFault(f"{name} takes a tensor first")
    tensor, *rest = given
    if not isinstance(tensor, AddressTensor | np.ndarray):
        raise SelectionFault(f"{name} takes a tensor, and this is none")
    function: Callable[..., Any] = _REDUCE.get(name) or _ONE.get(name) or _MANY[name]
    positional, words = _arguments(function, name, rest, named)
    if name in _REDUCE:
        if not isinstance(tensor, AddressTensor):
            raise SelectionFault(f"{name} is for tensors of states, not for numbers")
        return function(tensor, *positional, **words)
    if isinstance(tensor, np.ndarray):
        return function(tensor, *positional, **words)
    found = function(tensor.places, *positional, **words)
    return [tensor.moved(one) for one in found] if name in _MANY else tensor.moved(found)


def _arguments_of_join(
    name: str, given: Sequence[Any], named: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    if name == "arange":
        if named:
            raise SelectionFault("arange takes (end), (start, end) or (start, end, step)")
        return list(given), {}
    named = {_OTHER_NAMES.get(key, key): value for key, value in named.items()}
    first = [named.pop("tensors")] if "tensors" in named and not given else []
    given = [*first, *given]
    if len(given) + len(named) > 2 or not given or set(named) - {"dim"}:
        raise SelectionFault(f"{name} takes (tensors, dim)")
    return given, named
