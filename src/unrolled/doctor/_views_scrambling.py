"""Which views scramble what a layer reads step by step."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from ._layer_run import Reshape
from ._observation import Observation, Reader, significant
from ._sample_sources import leads_to


def swapped_axes(reshape: Reshape) -> tuple[int, int] | None:
    """Two axes that a view makes look exchanged, such as (batch, 6, 4) viewed as (batch, 4, 6).

    Args:
        reshape: the view.
    """
    before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
    if len(before) != len(after) or len(before) < 3:
        return None
    apart = [k for k in range(len(before)) if before[k] != after[k]]
    if len(apart) != 2 or 1 in (before[apart[0]], before[apart[1]]):
        return None
    return (apart[0], apart[1]) if before[apart[0]] == after[apart[1]] else None


def advanced_axis(reshape: Reshape) -> tuple[int, int] | None:
    """An axis that a view makes look moved ahead of another, which is flattened with the rest.

    It is (batch, channel, step, …) viewed as (batch, step, channel · …): the place where the axis
    seems to go, and where it came from. Axes of one element do not count.

    Args:
        reshape: the view.
    """
    wide = [(k, size) for k, size in enumerate(reshape.before.shape) if size > 1]
    narrow = [size for size in reshape.after.shape if size > 1]
    if len(wide) < 4 or len(narrow) != 3 or wide[0][1] != narrow[0] or wide[1][1] == narrow[1]:
        return None
    came = [k for k, size in wide[2:] if size == narrow[1]]
    return (wide[1][0], came[0]) if came else None


def in_order(seen: Observation, reader: Reader) -> bool:
    """Whether the steps that a layer reads are those of what it reads from, or groups of them.

    Asked of states of layers before it and of inputs of which it is sure which axis is time.

    Args:
        seen: the model.
        reader: what feeds the layer.
    """
    if reader.run is None or not reader.run.lanes or reader.positions < 2:
        return False
    sources: dict[object, list[list[int]]] = {}
    for position in range(reader.positions):
        reach = reader.reach(0, position)
        for index, amounts in reach.outputs.items():
            lanes = significant(amounts.sum((0, 2)))
            steps = significant(amounts.sum((1, 2)))
            sources.setdefault(("run", index), []).append(steps if len(lanes) == 1 else [])
        for place, amounts in reach.entries.items():
            if seen.examples.entries[place].kind == "floats" and seen.examples.lengths is None:
                return False
            samples = significant(amounts.sum(1))
            steps = significant(amounts.sum(0))
            sources.setdefault(("entry", place), []).append(steps if len(samples) == 1 else [])
    return bool(sources) and all(_rising(found, reader.positions) for found in sources.values())


def _rising(found: list[list[int]], positions: int) -> bool:
    if len(found) != positions or not all(found):
        return False
    ends = [(min(steps), max(steps)) for steps in found]
    return all(a[0] <= b[0] and a[1] <= b[1] and a != b for a, b in pairwise(ends))


def left_behind(seen: Observation, reshape: Reshape, axis: int, reader: Reader) -> bool:
    """Whether an axis went along an axis of an input before a view, and a layer's steps do not.

    Args:
        seen: the model.
        reshape: the view.
        axis: of what was viewed.
        reader: what feeds the layer, with as many steps.
    """
    steps = reader.tensor
    for root in seen.cut.flow.roots.values():
        if root.dim() < 4 or not leads_to(root, reshape.before):
            continue
        for along in range(1, root.dim()):
            if _follows(reshape.before, axis, root, along) and not _follows(steps, 0, root, along):
                return True
    return False


def _follows(value: Tensor, axis: int, root: Tensor, along: int) -> bool:
    """Whether the places along an axis of a value read later and later places of an input."""
    ends = []
    for place in range(value.shape[axis]):
        part = value.narrow(axis, place, 1)
        generator = torch.Generator().manual_seed(part.numel())
        weights = torch.rand(part.shape, generator=generator, dtype=torch.float64) + 0.5
        (gradient,) = torch.autograd.grad(
            part, root, weights.to(part.dtype), retain_graph=True, allow_unused=True
        )
        if gradient is None:
            return False
        amounts = gradient.abs().double().movedim(along, 0).reshape(root.shape[along], -1).sum(1)
        ends.append(significant(amounts.numpy()))
    return _rising(ends, len(ends))
