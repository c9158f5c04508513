"""The same samples with more padding, and one of them without any."""

from __future__ import annotations

import torch
from torch import Tensor

from ._examples import Examples


def extended(examples: Examples, more: int = 2) -> dict[int, Tensor] | None:
    """The same samples with more padding at the end.

    Args:
        examples: the inputs.
        more: steps of padding to add.
    """
    main = examples.main
    if main is None or main.time_dim is None:
        return None
    changed: dict[int, Tensor] = {}
    for place, leaf in enumerate(examples.leaves):
        if not isinstance(leaf, Tensor) or leaf.dim() < 2:
            continue
        axis = main.time_dim
        is_main = place == main.leaf
        is_mask = place == examples.mask_leaf
        if not is_main and not is_mask:
            continue
        if leaf.shape[axis if axis < leaf.dim() else -1] != main.steps:
            return None
        shape = list(leaf.shape)
        shape[axis] = more
        pad = leaf.new_zeros(shape)
        if is_mask:
            real = leaf.select(axis, 0)
            pad = (~real if leaf.dtype == torch.bool else 1 - real).unsqueeze(axis).expand(shape)
        changed[place] = torch.cat([leaf, pad], axis)
    return changed


def alone(examples: Examples, sample: int) -> dict[int, object]:
    """One sample twice, cut to its length: twice because some models squeeze a batch of one.

    Args:
        examples: the inputs.
        sample: which.
    """
    main = examples.main
    changed: dict[int, object] = {}
    if main is None or main.time_dim is None or examples.lengths is None:
        return changed
    length = examples.lengths[sample]
    batches = {e.leaf: e.batch_dim for e in examples.entries}
    for place, leaf in enumerate(examples.leaves):
        if place == examples.lengths_leaf:
            pair = [length, length]
            changed[place] = (
                torch.tensor(pair, dtype=leaf.dtype)
                if isinstance(leaf, Tensor)
                else type(leaf)(pair)
            )
            continue
        if not isinstance(leaf, Tensor) or leaf.dim() == 0:
            continue
        axis = batches.get(place)
        if axis is None or leaf.shape[axis] != examples.batch:
            fitting = [k for k, size in enumerate(leaf.shape[:2]) if size == examples.batch]
            if not fitting:
                continue
            axis = fitting[0]
        leaf = torch.cat([leaf.narrow(axis, sample, 1)] * 2, axis)
        if place in (main.leaf, examples.mask_leaf):
            leaf = leaf.narrow(main.time_dim, 0, length)
        changed[place] = leaf
    return changed
