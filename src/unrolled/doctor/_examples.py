"""The example inputs: which are sequences, which dimension is the batch, which are lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.utils import _pytree as pytree

from ..errors import UsageError
from ._entry import Entry
from ._given_value import shown
from ._reading import Reading, must_be_lengths, says_lengths
from ._told_lengths import is_dense, is_stray, mask_lengths, padding_lengths, whole_numbers


@dataclass(frozen=True, eq=False)
class Examples:
    """What the model is called with, and what each of it is taken for."""

    leaves: tuple[Any, ...]
    spec: Any
    entries: tuple[Entry, ...]
    batch: int
    lengths: tuple[int, ...] | None
    """Real steps of each sample of the first sequence, where known."""
    lengths_leaf: int | None
    mask_leaf: int | None
    padded_left: bool = False
    assumptions: tuple[str, ...] = ()
    names: tuple[str, ...] = field(default=())
    doubtful_leaf: int | None = None
    """Whole numbers that were taken for the lengths, though nothing but their size says so."""
    stray_zero: bool = False
    """Whether symbols hold one 0 at the end of one sample, which was not taken for padding."""

    @property
    def main(self) -> Entry | None:
        """The first sequence."""
        return next((entry for entry in self.entries if entry.steps is not None), None)

    @property
    def ragged(self) -> bool:
        """Whether the lengths differ or leave padding."""
        return (
            self.lengths is not None
            and self.main is not None
            and any(length < (self.main.steps or 0) for length in self.lengths)
        )

    def call(self, changed: Mapping[int, Any] | None = None) -> tuple[tuple[Any, ...], Any]:
        """Arguments and keywords, some leaves replaced.

        Args:
            changed: new values by place among the flattened arguments.
        """
        leaves = [
            (changed or {}).get(place, _fresh(leaf)) for place, leaf in enumerate(self.leaves)
        ]
        args, keywords = pytree.tree_unflatten(leaves, self.spec)
        return tuple(args), keywords

    def rebuilt(self, entry: Entry, tensor: Tensor) -> Any:
        """What stands in an entry's place once its numbers are others.

        Args:
            entry: which.
            tensor: shaped as its own.
        """
        if entry.packed is None:
            return tensor
        packed = entry.packed
        return PackedSequence(
            tensor, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        )


def _fresh(leaf: Any) -> Any:
    """A copy, so that no model writes into an example."""
    if isinstance(leaf, PackedSequence):
        return PackedSequence(
            leaf.data.clone(), leaf.batch_sizes, leaf.sorted_indices, leaf.unsorted_indices
        )
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _is_leaf(value: Any) -> bool:
    """A list of whole numbers is one thing: lengths."""
    return isinstance(value, PackedSequence) or (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )


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
    said: list[str] = []
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
    found, where, mask, left = given, None, None, False
    doubtful, stray = None, False
    if main is not None:
        steps = main.steps or 0
        if main.packed is not None:
            found = tuple(pad_packed_sequence(main.packed)[1].tolist())
        contents = (
            padding_lengths(main.ids())
            if main.kind == "ids"
            else padding_lengths(main.by_place(main.tensor) != 0)
        )
        stray = main.kind == "ids" and contents is not None and is_stray(contents, steps)
        stray = stray and not reading.zero_pads
        keys = reading.keys(args, keywords, _is_leaf)
        if given is None and _is_of_one(entries):
            _check_named(leaves, keys, main)
        able = {}
        for place, leaf in enumerate(leaves):
            whole = whole_numbers(leaf) if not isinstance(leaf, PackedSequence) else None
            fits = whole is not None and len(whole) == batch and place not in reading.no_lengths
            if fits and whole is not None and all(1 <= n <= steps for n in whole):
                able[place] = whole
        named = [place for place in able if says_lengths(keys[place])]
        # What stands in the sequence itself says more than numbers of any other name.
        alike = [p for p in able if contents is not None and contents[0] == able[p]]
        sure = [p for p in able if found is not None and found == able[p]] + alike + named
        for place in [*sure, *able][:1]:
            if place not in sure and found is None and contents is not None and not stray:
                break
            if found is None or found == able[place]:
                doubtful = None if place in sure else place
                found, where = able[place], place
                if given is None:
                    said.append(f"{names[place]} was taken for the lengths.")
        at_start = contents is not None and contents[1]
        for place, leaf in enumerate(leaves):
            counted = mask_lengths(leaf, batch, steps, at_start)
            if counted is not None and (found is None or counted[0] == found):
                mask, left = place, counted[1]
                if found is None:
                    said.append(f"{names[place]} was taken for the mask of real steps.")
                found = counted[0]
                break
        if found is None and main.kind == "ids" and stray:
            said.append(
                f"{main.name} holds one 0, at the end of a sample, which was taken for a symbol; "
                "give lengths if it is padding."
            )
        elif found is None and main.kind == "ids":
            if contents is not None:
                found, left = contents
                side = "start" if left else "end"
                said.append(
                    f"{main.name} holds zeros at the {side} of samples, which were taken for "
                    "padding."
                )
        elif found is not None and main.kind == "ids" and not left:
            left = contents is not None and contents[1] and contents[0] == found
        floats = main.kind == "floats" and main.batch_dim is not None
        if found is None and floats and contents is not None:
            found, left = contents
            said.append(
                f"{main.name} holds zeros at the {'start' if left else 'end'} of samples, "
                "which were taken for padding."
            )
    entries += _alone(leaves, names, batch, given_place=where)
    if (
        batch_dim is None
        and main is not None
        and main.packed is None
        and main.batch_dim is not None
    ):
        said.append(
            f"Dimension {main.batch_dim} of {main.name} was taken for the batch"
            + (f" and dimension {main.time_dim} for time." if main.time_dim is not None else ".")
        )
    return Examples(
        tuple(leaves),
        spec,
        tuple(entries),
        batch,
        found,
        where,
        mask,
        left,
        tuple(said),
        tuple(names),
        doubtful,
        stray and found is None,
    )


def with_batch_dim(examples: Examples, batch_dim: int) -> Examples:
    """The same examples with another dimension of their sequences as the batch.

    Args:
        examples: read with the usual dimension.
        batch_dim: 0 or 1.
    """
    entries = tuple(
        entry
        if entry.packed is not None or entry.time_dim is None or entry.batch_dim is None
        else replace(entry, batch_dim=batch_dim, time_dim=1 - batch_dim)
        for entry in examples.entries
    )
    main = next((entry for entry in entries if entry.steps is not None), None)
    lines = tuple(line for line in examples.assumptions if not line.startswith("Dimension "))
    if main is not None:
        lines += (
            f"Dimension {batch_dim} of {main.name} was taken for the batch and dimension "
            f"{1 - batch_dim} for time, because the model keeps samples apart only so; give "
            "batch_dim if it is otherwise.",
        )
        return replace(examples, entries=entries, batch=main.batch, assumptions=lines, lengths=None)
    return examples


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
