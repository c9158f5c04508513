"""From the arguments of a model to examples: what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from ..errors import UsageError
from ._entry import Entry
from ._examples import Examples
from ._found_lengths import FoundLengths, find_lengths
from ._given_value import shown
from ._reading import Reading, must_be_lengths
from ._told_lengths import is_dense, whole_numbers


def read_examples(
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    lengths: Any = None,
    batch_dim: int | None = None,
    time_dim: int | None = None,
    dtype: torch.dtype | None = None,
    reading: Reading | None = None,
) -> Examples:
    """Says what each argument is.

    Args:
        args: positional ones.
        keywords: the others.
        lengths: real steps of each sample, if the caller knows them.
        batch_dim: of sequences, if the caller knows it.
        time_dim: of sequences, if the caller knows it.
        dtype: what floats are turned into.
        reading: what the model says of its arguments.
    """
    reading = Reading() if reading is None else reading
    leaves, spec = pytree.tree_flatten((tuple(args), dict(keywords)), is_leaf=_is_leaf)
    leaves = [_turned(leaf, dtype) for leaf in leaves]
    names = _names(args, keywords)
    if batch_dim is None and time_dim in (0, 1):
        batch_dim = 1 - time_dim
    given = whole_numbers(lengths)
    chosen = batch_dim if batch_dim is not None else _batch_dim(leaves, given)
    _check_dims(leaves, {"batch_dim": batch_dim, "time_dim": time_dim})
    entries: list[Entry] = []
    for place, leaf in enumerate(leaves):
        name = names[place] if place < len(names) else f"argument {place}"
        entry = _entry(place, name, leaf, chosen, time_dim)
        if entry is not None:
            _check_filled(entry)
            entries.append(entry)
    main = next((entry for entry in entries if entry.steps is not None), None)
    batch = main.batch if main is not None else entries[0].batch if entries else 1
    if lengths is not None:
        _check_lengths("lengths", lengths, given, batch, main.steps if main is not None else None)
    found = FoundLengths(given)
    if main is not None:
        keys = reading.keys(args, keywords, _is_leaf)
        if given is None and _is_of_one(entries):
            _check_named(leaves, keys, main)
        found = find_lengths(
            leaves,
            names,
            keys,
            main,
            given,
            zero_pads=reading.zero_pads,
            no_lengths=reading.no_lengths,
        )
    entries += _alone(leaves, names, batch, given_place=found.leaf)
    if (
        batch_dim is None
        and main is not None
        and main.packed is None
        and main.batch_dim is not None
    ):
        found = found.and_said(
            f"Dimension {main.batch_dim} of {main.name} was taken for the batch"
            + (f" and dimension {main.time_dim} for time." if main.time_dim is not None else ".")
        )
    return Examples(
        tuple(leaves),
        spec,
        tuple(entries),
        batch,
        lengths=found.steps,
        lengths_leaf=found.leaf,
        mask_leaf=found.mask_leaf,
        padded_left=found.padded_left,
        assumptions=found.assumptions,
        names=tuple(names),
        doubtful_leaf=found.doubtful_leaf,
        stray_zero=found.stray_zero,
    )


def _is_leaf(value: Any) -> bool:
    """A list of whole numbers is one thing: lengths."""
    return isinstance(value, PackedSequence) or (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )


def _check_dims(leaves: list[Any], hints: dict[str, int | None]) -> None:
    shapes = [tuple(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor)]
    for name, dim in hints.items():
        if dim is not None and shapes and dim >= max(map(len, shapes)):
            raise UsageError(
                f"{name} is {dim}, but the examples have the shapes "
                f"{', '.join(map(str, shapes))}; give the number of a dimension that is there, 0 "
                "for the first"
            )


def _check_filled(entry: Entry) -> None:
    for size, what in ((entry.batch, "sample"), (entry.steps, "step")):
        if size == 0:
            raise UsageError(
                f"{entry.name} has the shape {tuple(entry.tensor.shape)}, in which there is no "
                f"{what}; give three samples or more, of four steps or more"
            )


def _turned(leaf: Any, dtype: torch.dtype | None) -> Any:
    if isinstance(leaf, PackedSequence):
        data = leaf.data.detach()
        data = data.clone()
        data = data.to(dtype) if dtype and torch.is_floating_point(data) else data
        return PackedSequence(data, leaf.batch_sizes, leaf.sorted_indices, leaf.unsorted_indices)
    if isinstance(leaf, Tensor):
        leaf = leaf.detach().clone()  # a clone of one made in inference mode is none
        return leaf.to(dtype) if dtype and torch.is_floating_point(leaf) else leaf
    return leaf


def _names(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for place, value in enumerate(args):
        many = pytree.tree_flatten(value, is_leaf=_is_leaf)[0]
        name = f"input {place}" if len(args) > 1 else "the input"
        found += [name if len(many) == 1 else f"{name}, part {k}" for k in range(len(many))]
    for key, value in keywords.items():
        many = pytree.tree_flatten(value, is_leaf=_is_leaf)[0]
        found += [key if len(many) == 1 else f"{key}, part {k}" for k in range(len(many))]
    return found


def _is_of_one(entries: list[Entry]) -> bool:
    """Whether there is one plain sequence, so that lengths can be of no other."""
    sequences = [entry for entry in entries if entry.steps is not None]
    plain = {"ids": 2, "floats": 3}
    return len(sequences) == 1 and sequences[0].tensor.dim() == plain.get(sequences[0].kind)


def _check_named(leaves: list[Any], keys: list[str], main: Entry) -> None:
    """Refuse arguments that are called lengths and are none of the one sequence."""
    for leaf, key in zip(leaves, keys, strict=True):
        whole = whole_numbers(leaf)
        if whole is not None and must_be_lengths(key):
            _check_lengths(key, leaf, whole, main.batch, main.steps)


def _check_lengths(
    name: str, lengths: Any, given: tuple[int, ...] | None, batch: int, steps: int | None
) -> None:
    if given is None:
        raise UsageError(
            f"{name} is {shown(lengths)}; give one whole number for each sample, as a list or a "
            "tensor."
        )
    if len(given) != batch:
        raise UsageError(
            f"{name} holds {len(given)} numbers, but the examples hold {batch} samples; give one "
            "for each, and batch_dim where another dimension is that of the samples."
        )
    if steps is not None and not all(1 <= length <= steps for length in given):
        raise UsageError(
            f"{name} is {list(given)}, but the examples have {steps} steps; each length must be "
            f"from 1 to {steps}."
        )


def _batch_dim(leaves: list[Any], lengths: tuple[int, ...] | None) -> int:
    """0, unless the sizes of several tensors agree in dimension 1 alone."""
    sequences = [
        leaf
        for leaf in leaves
        if isinstance(leaf, Tensor)
        and (leaf.dim() == 3 or (leaf.dim() == 2 and not leaf.is_floating_point()))
    ]
    if not sequences:
        return 0
    first = sequences[0]
    sizes = {len(lengths)} if lengths else set()
    for leaf in leaves:
        whole = whole_numbers(leaf) if not isinstance(leaf, PackedSequence) else None
        if whole is not None and all(1 <= n <= max(first.shape[:2]) for n in whole):
            sizes.add(len(whole))
    for size in sizes:
        if first.shape[0] != size and first.shape[1] == size:
            return 1
        if first.shape[0] == size:
            return 0
    if len(sequences) > 1:
        apart = {s.shape[0] for s in sequences}, {s.shape[1] for s in sequences}
        if len(apart[0]) > 1 and len(apart[1]) == 1:
            return 1
    return 0


def _entry(place: int, name: str, leaf: Any, batch_dim: int, time_dim: int | None) -> Entry | None:
    if isinstance(leaf, PackedSequence):
        return Entry(place, name, "packed", leaf.data, None, None, leaf)
    if not isinstance(leaf, Tensor) or leaf.dtype == torch.bool or leaf.is_complex():
        return None
    if not is_dense(leaf):
        return None
    floats = leaf.is_floating_point()
    if floats and leaf.dim() == 2:
        return Entry(place, name, "floats", leaf, 0, None)
    if floats and leaf.dim() == 3:
        time = time_dim if time_dim is not None and time_dim != batch_dim else 1 - min(batch_dim, 1)
        return Entry(place, name, "floats", leaf, batch_dim, time)
    if floats and leaf.dim() > 3:
        return Entry(place, name, "floats", leaf, 0, time_dim)
    if not floats and leaf.dim() == 2:
        return Entry(place, name, "ids", leaf, min(batch_dim, 1), 1 - min(batch_dim, 1))
    if not floats and leaf.dim() == 3:
        return Entry(place, name, "ids", leaf, 0, 1)
    return None


def _alone(leaves: list[Any], names: list[str], batch: int, given_place: int | None) -> list[Entry]:
    """The arguments of one symbol for each sample; the lengths are none."""
    return [
        Entry(place, names[place], "ids", leaf, 0, None)
        for place, leaf in enumerate(leaves)
        if isinstance(leaf, Tensor)
        and place != given_place
        and leaf.dim() == 1
        and len(leaf) == batch
        and leaf.dtype == torch.long
        and is_dense(leaf)
    ]
