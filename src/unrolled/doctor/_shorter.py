"""Examples cut to what is needed: few samples of few steps show what many do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._entry import Entry
from ._examples import Examples

MOST_SAMPLES = 5
MOST_STEPS = 12


def shorter(examples: Examples) -> Iterator[Examples]:
    """The examples cut short, if they are long, and then as they are.

    Args:
        examples: as given.
    """
    cut = _cut(examples)
    if cut is not None:
        yield cut
    yield examples


def _cut(examples: Examples) -> Examples | None:
    main = examples.main
    if main is None or main.packed is not None or main.batch_dim is None:
        return None
    steps = [e.steps for e in examples.entries if e.steps is not None]
    if examples.batch <= MOST_SAMPLES and all(count <= MOST_STEPS for count in steps):
        return None
    if any(entry.packed is not None for entry in examples.entries) or examples.padded_left:
        return None
    long = sorted({count for count in steps if count > MOST_STEPS}, reverse=True)
    shown = {count: MOST_STEPS - k for k, count in enumerate(long)}
    if any(count < 6 for count in shown.values()):
        return None
    batch = min(examples.batch, MOST_SAMPLES)
    most = shown.get(main.steps or 0, main.steps or 0)
    lengths = examples.lengths
    if lengths is not None and most < (main.steps or 0):
        scale = most / (main.steps or 1)
        lengths = tuple(max(1, min(most, round(length * scale))) for length in lengths)
    kept = None if lengths is None else lengths[:batch]
    leaves: list[Any] = list(examples.leaves)
    entries: list[Entry] = []
    for entry in examples.entries:
        tensor = entry.tensor
        if entry.batch_dim is not None and tensor.shape[entry.batch_dim] == examples.batch:
            tensor = tensor.narrow(entry.batch_dim, 0, batch)
        elif (
            entry.batch_dim is not None and tensor.dim() == 3 and tensor.shape[1] == examples.batch
        ):
            tensor = tensor.narrow(1, 0, batch)
        if entry.steps is not None and entry.time_dim is not None:
            tensor = tensor.narrow(entry.time_dim, 0, shown.get(entry.steps, entry.steps))
        tensor = tensor.clone()
        if entry is main and kept is not None and lengths != examples.lengths:
            tensor = _padded_again(tensor, entry, kept, examples)
        leaves[entry.leaf] = tensor
        entries.append(replace(entry, tensor=tensor))
    for place, leaf in enumerate(leaves):
        if any(entry.leaf == place for entry in entries):
            continue
        if place == examples.lengths_leaf and kept is not None:
            leaves[place] = (
                torch.tensor(kept, dtype=leaf.dtype)
                if isinstance(leaf, Tensor)
                else type(leaf)(kept)
            )
        elif isinstance(leaf, Tensor) and leaf.dim() >= 1:
            for axis in range(min(leaf.dim(), 2)):
                if leaf.shape[axis] == examples.batch:
                    leaf = leaf.narrow(axis, 0, batch)
                elif place == examples.mask_leaf and leaf.shape[axis] == main.steps:
                    leaf = leaf.narrow(axis, 0, most)
            leaves[place] = leaf.clone()
    if examples.mask_leaf is not None and lengths != examples.lengths:
        return None
    return replace(
        examples, leaves=tuple(leaves), entries=tuple(entries), batch=batch, lengths=kept
    )


def _padded_again(
    tensor: Tensor, entry: Entry, lengths: tuple[int, ...], examples: Examples
) -> Tensor:
    """Symbols or features with zeros after the new lengths, where zeros stood after the old."""
    if entry.batch_dim is None or entry.time_dim is None:
        return tensor
    moved = tensor.movedim((entry.batch_dim, entry.time_dim), (0, 1))
    first = entry.tensor.movedim((entry.batch_dim, entry.time_dim), (0, 1))
    for sample, length in enumerate(lengths):
        before = (examples.lengths or lengths)[sample]
        content = first[sample, :before]
        moved[sample, :length] = content[:length]
        if before < first.shape[1]:
            moved[sample, length:] = first[sample, before]
        else:
            moved[sample, length:] = content[length : moved.shape[1]]
    return moved.movedim((0, 1), (entry.batch_dim, entry.time_dim)).contiguous()
