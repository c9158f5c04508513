"""What a run did with its tensors beside its layers: sums, products, comparisons and picks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_PRODUCTS = {"bmm", "matmul", "__matmul__"}
_TIMES = {"mul", "multiply", "__mul__", "__rmul__"}
_COMPARED = {"lt", "le", "gt", "ge", "__lt__", "__le__", "__gt__", "__ge__"}
_EQUATED = {"eq", "ne", "__eq__", "__ne__"}
_PICKS = {"__getitem__", "select", "index_select", "gather", "narrow", "take_along_dim"}
_MOST = 100_000
"""Whole numbers of a comparison that are kept."""


@dataclass(eq=False)
class Summed:
    """One factor of a sum of products, and over which of its axes the sum ran."""

    factor: Tensor
    axes: tuple[int, ...]
    kept_by_other: tuple[int, ...] = ()
    """Those of its other axes along which the other factor changes too."""


@dataclass(eq=False)
class Pick:
    """A part that was taken of a tensor by its place."""

    source: Tensor
    part: Tensor


class Operations:
    """What is noted of one run."""

    def __init__(self) -> None:
        self.sums: list[Summed] = []
        self.picks: list[Pick] = []
        self.compared: list[Tensor] = []
        """Whole numbers that were compared by size."""
        self.equated: list[tuple[Tensor, Any]] = []
        """Whole numbers that were looked for something in."""
        # The product is kept beside its factors, so that its id is not given to another.
        self._times: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def note(self, name: str, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        """Note one call of a function of PyTorch, if it is one of these.

        Args:
            name: of the function.
            args: that it was given.
            kwargs: by keyword.
            result: what it gave.
        """
        if name in _PRODUCTS:
            if len(args) >= 2 and isinstance(args[1], Tensor):
                self._product(args[0], args[1])
        elif name in _TIMES:
            tensors = len(args) >= 2 and all(isinstance(a, Tensor) for a in (*args[:2], result))
            if tensors and result.requires_grad:
                self._times[id(result)] = result, args[0], args[1]
        elif name == "sum":
            self._sum(args, kwargs)
        elif name == "einsum":
            self._einsum(args)
        elif name in _PICKS:
            self._pick(args, result)
        elif name in _COMPARED:
            self.compared += [value.detach().clone() for value in args[:2] if _is_whole(value)]
        elif name in _EQUATED and len(args) >= 2 and _is_whole(args[0]):
            self.equated.append((args[0].detach().clone(), args[1]))

    def _product(self, left: Tensor, right: Tensor) -> None:
        self.sums.append(Summed(left, (left.dim() - 1,)))
        self.sums.append(Summed(right, (max(right.dim() - 2, 0),)))

    def _sum(self, args: tuple[Any, ...], kwargs: Any) -> None:
        known = self._times.get(id(args[0])) if args else None
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if known is None or dim is None:
            return
        product = known[0]
        dims = {one % product.dim() for one in (dim if isinstance(dim, (tuple, list)) else (dim,))}
        for factor, other in (known[1:], known[:0:-1]):
            before = product.dim() - factor.dim()
            axes = tuple(a for a in range(factor.dim()) if a + before in dims)
            beside = product.dim() - other.dim()
            kept = tuple(
                a
                for a in range(factor.dim())
                if a + before not in dims
                and a + before >= beside
                and other.shape[a + before - beside] > 1
            )
            self.sums.append(Summed(factor, axes, kept))

    def _einsum(self, args: tuple[Any, ...]) -> None:
        if not args or not isinstance(args[0], str) or "->" not in args[0] or "." in args[0]:
            return
        factors = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
        entering, leaving = args[0].replace(" ", "").split("->")
        for letters, factor in zip(entering.split(","), factors, strict=False):
            axes = tuple(k for k, letter in enumerate(letters) if letter not in leaving)
            self.sums.append(Summed(factor, axes))

    def _pick(self, args: tuple[Any, ...], result: Any) -> None:
        source = args[0] if args else None
        if not isinstance(source, Tensor) or not isinstance(result, Tensor):
            return
        if result.requires_grad and 0 < result.numel() < source.numel():
            self.picks.append(Pick(source, result))

    def symbols_marked(self, ids: Tensor) -> Iterator[Any]:
        """The symbols that the model looked for in an input, as for padding.

        Args:
            ids: the input.
        """
        for looked, symbol in self.equated:
            if looked.shape == ids.shape and bool((looked == ids).all()):
                yield symbol


def _is_whole(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and not value.is_floating_point()
        and not value.is_complex()
        and value.numel() <= _MOST
    )
