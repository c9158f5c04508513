"""What inputs tell of the lengths of their samples: whole numbers, masks and zeros at one end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ._entry import Entry


class Padding(NamedTuple):
    """The lengths of samples, and whether what is no part of them stands at the start."""

    lengths: tuple[int, ...]
    at_start: bool


def is_dense(leaf: Tensor) -> bool:
    """Whether it is a plain array of numbers, which can be changed place by place.

    Args:
        leaf: an argument.
    """
    return leaf.layout == torch.strided and not leaf.is_nested and not leaf.is_quantized


def whole_numbers(value: Any) -> tuple[int, ...] | None:
    """Whole numbers in one dimension, as a tuple; None of anything else.

    Args:
        value: an argument, or what stands for one.
    """
    if isinstance(value, Tensor):
        if value.dim() != 1 or value.is_floating_point() or value.dtype == torch.bool:
            return None
        return tuple(value.tolist())
    if value is not None and not isinstance(value, (str, bytes, Mapping, PackedSequence)):
        try:
            items = list(value) if isinstance(value, Sequence) else value.tolist()
        except (AttributeError, TypeError):
            return None
        if isinstance(items, list) and items and all(type(item) is int for item in items):
            return tuple(items)
    return None


def mask_lengths(leaf: Any, batch: int, steps: int, left: bool) -> Padding | None:
    """The padding that a mask tells; None of what is none.

    Args:
        leaf: an argument.
        batch: how many samples.
        steps: how many steps.
        left: the side that is preferred where either may be the real one.
    """
    if (
        not isinstance(leaf, Tensor)
        or not is_dense(leaf)
        or leaf.dim() != 2
        or set(leaf.shape) != {batch, steps}
    ):
        return None
    if leaf.dtype != torch.bool and not bool(((leaf == 0) | (leaf == 1)).all()):
        return None
    mask = (leaf != 0) if leaf.shape[0] == batch else (leaf != 0).t()
    readings = [padding_lengths(real) for real in (mask, ~mask)]
    for found in readings:
        if found is not None and found.at_start == left:
            return found
    return Padding((steps,) * batch, at_start=False) if bool(mask.all() or (~mask).all()) else None


def padded_with_zeros(entry: Entry) -> tuple[int, ...] | None:
    """The lengths that the zeros at the end of an input's samples show; None where they show none.

    Args:
        entry: a sequence.
    """
    if entry.packed is not None:
        return None
    values = entry.ids() if entry.kind == "ids" else entry.by_place(entry.tensor)
    found = padding_lengths(values)
    if found is None or found.at_start or is_stray(found, int(entry.steps or 0)):
        return None
    return found.lengths


def is_stray(padding: Padding, steps: int) -> bool:
    """Whether one 0 is all that looks like padding.

    Args:
        padding: what looks like it.
        steps: how many steps.
    """
    lengths = padding.lengths
    return len(lengths) > 1 and sum(steps - length for length in lengths) == 1


def padding_lengths(values: Tensor) -> Padding | None:
    """The padding of rows whose zeros stand at one end only, if some row has any.

    Args:
        values: (sample, step).
    """
    real = values != 0
    if real.dim() != 2 or bool(real.all()) or not bool(real.any(1).all()):
        return None
    counts = real.sum(1)
    places = torch.arange(real.shape[1], device=real.device)
    if bool((real == (places < counts[:, None])).all()):
        return Padding(tuple(counts.tolist()), at_start=False)
    if bool((real == (places >= real.shape[1] - counts[:, None])).all()):
        return Padding(tuple(counts.tolist()), at_start=True)
    return None
