"""Where the samples of the first sequence end, and which arguments say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from ._entry import Entry
from ._reading import says_lengths
from ._told_lengths import Padding, is_stray, mask_lengths, padding_lengths, whole_numbers


@dataclass(frozen=True)
class FoundLengths:
    """Real steps of each sample, as far as they are known."""

    steps: tuple[int, ...] | None
    leaf: int | None = None
    mask_leaf: int | None = None
    padded_left: bool = False
    doubtful_leaf: int | None = None
    """Whole numbers that were taken for the lengths, though nothing but their size says so."""
    stray_zero: bool = False
    """Whether symbols hold one 0 at the end of one sample, which was not taken for padding."""
    assumptions: tuple[str, ...] = ()

    def and_said(self, line: str) -> FoundLengths:
        """The same, with an assumption more.

        Args:
            line: a sentence.
        """
        return replace(self, assumptions=(*self.assumptions, line))


def find_lengths(
    leaves: Sequence[Any],
    names: Sequence[str],
    keys: Sequence[str],
    main: Entry,
    given: tuple[int, ...] | None,
    *,
    zero_pads: bool,
    no_lengths: frozenset[int],
) -> FoundLengths:
    """What all arguments together tell of the lengths of the first sequence.

    Args:
        leaves: the arguments.
        names: of each, for sentences.
        keys: of each, in the model.
        main: the first sequence.
        given: lengths that the caller knows.
        zero_pads: whether one 0 at the end of one sample is padding.
        no_lengths: places of whole numbers that are no lengths, though they could be.
    """
    zeros = padding_lengths(main.ids() if main.kind == "ids" else main.by_place(main.tensor))
    stray = main.kind == "ids" and zeros is not None and is_stray(zeros, main.steps or 0)
    stray = stray and not zero_pads
    told = given if main.packed is None else tuple(pad_packed_sequence(main.packed)[1].tolist())
    able = _numbers_that_fit(leaves, main, no_lengths)
    found = _from_numbers(FoundLengths(told), able, keys, zeros, stray)
    if found.leaf is not None and given is None:
        found = found.and_said(f"{names[found.leaf]} was taken for the lengths.")
    found = _from_mask(found, leaves, names, main, zeros)
    return _from_zeros(found, main, zeros, stray)


def _numbers_that_fit(
    leaves: Sequence[Any], main: Entry, no_lengths: frozenset[int]
) -> dict[int, tuple[int, ...]]:
    """Whole numbers by place, one for each sample and none beyond its steps."""
    able = {}
    for place, leaf in enumerate(leaves):
        whole = whole_numbers(leaf) if not isinstance(leaf, PackedSequence) else None
        fits = whole is not None and len(whole) == main.batch and place not in no_lengths
        if fits and whole is not None and all(1 <= n <= (main.steps or 0) for n in whole):
            able[place] = whole
    return able


def _from_numbers(
    found: FoundLengths,
    able: dict[int, tuple[int, ...]],
    keys: Sequence[str],
    zeros: Padding | None,
    stray: bool,
) -> FoundLengths:
    """What stands in the sequence itself says more than numbers of any name but a length's."""
    sure = [place for place in able if able[place] == found.steps]
    sure += [place for place in able if zeros is not None and able[place] == zeros.lengths]
    sure += [place for place in able if says_lengths(keys[place])]
    place = next(iter([*sure, *able]), None)
    if place is None or found.steps not in (None, able[place]):
        return found
    if place not in sure and zeros is not None and not stray:
        return found
    doubtful = None if place in sure else place
    return replace(found, steps=able[place], leaf=place, doubtful_leaf=doubtful)


def _from_mask(
    found: FoundLengths,
    leaves: Sequence[Any],
    names: Sequence[str],
    main: Entry,
    zeros: Padding | None,
) -> FoundLengths:
    at_start = zeros is not None and zeros.at_start
    for place, leaf in enumerate(leaves):
        counted = mask_lengths(leaf, main.batch, main.steps or 0, at_start)
        if counted is None or found.steps not in (None, counted.lengths):
            continue
        if found.steps is None:
            found = found.and_said(f"{names[place]} was taken for the mask of real steps.")
        return replace(found, steps=counted.lengths, mask_leaf=place, padded_left=counted.at_start)
    return found


def _from_zeros(
    found: FoundLengths, main: Entry, zeros: Padding | None, stray: bool
) -> FoundLengths:
    is_symbols = main.kind == "ids"
    if found.steps is not None:
        left = is_symbols and zeros is not None and zeros == (found.steps, True)
        return replace(found, padded_left=found.padded_left or left)
    if stray:
        return replace(found, stray_zero=True).and_said(
            f"{main.name} holds one 0, at the end of a sample, which was taken for a symbol; give "
            "lengths if it is padding."
        )
    if zeros is None or not (is_symbols or main.batch_dim is not None):
        return found
    side = "start" if zeros.at_start else "end"
    return replace(found, steps=zeros.lengths, padded_left=zeros.at_start).and_said(
        f"{main.name} holds zeros at the {side} of samples, which were taken for padding."
    )
