"""The example inputs: which are sequences, which dimension is the batch, which are lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from ._entry import Entry


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


def _fresh(leaf: Any) -> Any:
    """A copy, so that no model writes into an example."""
    if isinstance(leaf, PackedSequence):
        return PackedSequence(
            leaf.data.clone(), leaf.batch_sizes, leaf.sorted_indices, leaf.unsorted_indices
        )
    return leaf.clone() if isinstance(leaf, Tensor) else leaf
