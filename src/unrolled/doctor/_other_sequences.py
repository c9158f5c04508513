"""The model seen with another of its sequences in the place of the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch.nn.utils.rnn import PackedSequence

from ._entry import Entry
from ._examples import Examples
from ._observation import Observation
from ._told_lengths import mask_lengths, padded_with_zeros, whole_numbers


def other_padded(examples: Examples) -> list[Examples]:
    """The same examples with each other sequence in front that is padded at the end.

    Zeros at the end of a sequence are padding where an argument says the same, as its lengths or
    its mask; else they may be symbols.

    Args:
        examples: the inputs.
    """
    found = []
    for entry in examples.entries:
        if entry is examples.main or entry.steps is None or entry.batch != examples.batch:
            continue
        lengths = padded_with_zeros(entry)
        if lengths is None or lengths == examples.lengths:
            continue
        counted = _place_of_lengths(examples, lengths)
        mask = _place_of_mask(examples, entry, lengths)
        if counted is not None or mask is not None:
            others = tuple(one for one in examples.entries if one is not entry)
            found.append(
                replace(
                    examples,
                    entries=(entry, *others),
                    lengths=lengths,
                    lengths_leaf=counted,
                    mask_leaf=mask,
                    padded_left=False,
                )
            )
    return found


def by_other_sequences(seen: Observation) -> Iterator[Observation]:
    """The model run anew and looked at from each of them.

    Args:
        seen: the model.
    """
    for examples in other_padded(seen.examples):
        cut = seen.runner.run(examples, cutting=True)
        whole = seen.runner.run(examples, cutting=False)
        yield Observation(cut.model, examples, seen.runner, cut, whole)


def _place_of_lengths(examples: Examples, lengths: tuple[int, ...]) -> int | None:
    """Which argument holds these lengths, if one does."""
    places = [
        place
        for place, leaf in enumerate(examples.leaves)
        if not isinstance(leaf, PackedSequence) and whole_numbers(leaf) == lengths
    ]
    return places[0] if places else None


def _place_of_mask(examples: Examples, entry: Entry, lengths: tuple[int, ...]) -> int | None:
    """Which argument is the mask of a sequence with these lengths, if one is."""
    for place, leaf in enumerate(examples.leaves):
        if place != entry.leaf and (
            mask_lengths(leaf, examples.batch, int(entry.steps or 0), False) == (lengths, False)
        ):
            return place
    return None
