"""A selection in plain sentences: where in the tensor, which states, and what they have read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..grid import StackShape, StateAddress
from ._grid_part import has_read
from ._selection_group import Lane, SelectionGroup, selection_groups
from ._selection_part import SelectionPart

MOST_NAMED = 6
MOST_SENTENCES = 40
_THROUGH_BELOW = "{} of its own; through the layer below, which runs both ways, it has read"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A place in the tensor, which states stand there, and what is to be known of them."""

    place: str
    states: str
    history: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.states}" + (f" — {self.history}" if self.history else "")


def selection_sentences(part: SelectionPart) -> tuple[Sentence, ...]:
    """One sentence for each thing that the tensor holds."""
    if not part.pieces:
        return (Sentence("nothing", f"the shape {part.sizes} has no elements"),)
    found = []
    groups = selection_groups(part)
    padded = np.concatenate([np.zeros(0, np.int64), *(g.elements() for g in groups if g.padding)])
    for group in groups:
        for samples in _alike(part, group):
            elements = group.elements(samples if samples else None)
            place = _place(part, group, elements, padded)
            whole = len(samples) in (0, len(part.lengths))
            if not whole and not group.padding:
                place = f"{listed('sample', samples)}, {place}"
            states, history = _words(part, group, samples)
            found.append(Sentence(place, states, history))
    return tuple(found)


def first_sentences(part: SelectionPart) -> tuple[tuple[Sentence, ...], str]:
    """As many sentences as one reads, and what is said of the rest; empty when there is none."""
    sentences = selection_sentences(part)
    left = len(sentences) - MOST_SENTENCES
    rest = f"… and {left} places more; the JSON has them all" if left > 0 else ""
    return sentences[:MOST_SENTENCES], rest


def last_step(lane: Lane, length: int) -> int:
    """The last step that a direction computes of an input of this length."""
    return length - 1 if lane[2] == "forward" else 0


def first_step(lane: Lane, length: int) -> int:
    """The first step that a direction computes of an input of this length."""
    return 0 if lane[2] == "forward" else length - 1


def _alike(part: SelectionPart, group: SelectionGroup) -> list[tuple[int, ...]]:
    """The samples of a group, those together of which the same can be said."""
    if group.padding and len(group.samples) > MOST_NAMED:
        return [group.samples]
    fitting = {sample: _fitting(part, group, sample) for sample in group.samples}
    counts = {
        name: sum(name in names for names in fitting.values())
        for name in ("last", "first", "every")
    }
    together: dict[object, list[int]] = {}
    for sample, names in fitting.items():
        steps = group.steps.get(sample, {})
        key: object = part.lengths[sample], tuple((lane, tuple(one)) for lane, one in steps.items())
        # A single step is the first, the last and every one: it goes where most samples go.
        name = max(names, key=lambda name: counts[name], default=None)
        together.setdefault((name or key, sample in group.padded), []).append(sample)
    return [tuple(samples) for samples in together.values()] or [()]


def _fitting(part: SelectionPart, group: SelectionGroup, sample: int) -> tuple[str, ...]:
    """What the steps taken of a sample are, whatever its length."""
    length, lanes = part.lengths[sample], group.steps.get(sample, {})
    fits = {
        "last": all(steps == {last_step(lane, length)} for lane, steps in lanes.items()),
        "first": all(steps == {first_step(lane, length)} for lane, steps in lanes.items()),
        "every": all(len(steps) == length for steps in lanes.values()),
    }
    return tuple(name for name, fit in fits.items() if fit and lanes)


def _words(part: SelectionPart, group: SelectionGroup, samples: Sequence[int]) -> tuple[str, str]:
    """Which states, and what is to be known of them."""
    if group.padding:
        ends = ", ".join(
            f"sample {sample} ends at step {part.lengths[sample] - 1}"
            for sample in samples[:MOST_NAMED]
        )
        return f"padding, {part.padding}", f"{ends}{', …' if samples[MOST_NAMED:] else ''}"
    if not group.lanes:
        return "no state", "neither the value of one nor what moves with one"
    together = bool(group.by) and not group.spread
    lanes = [_lane_words(part, group, lane, samples, together) for lane in group.lanes]
    if not group.by:
        address = _one_step(part, group, samples)
        return lanes[0], "" if address is None else _history(part, address, samples)
    by, joined = " and ".join(group.by), _joined(lanes)
    if together and any(len(steps) > 1 for s in samples for steps in group.steps[s].values()):
        joined += ", step by step"
    beside = "padding takes part" if set(samples) & group.padded else ""
    if group.by == ("computed",):
        return f"computed from {joined}", beside
    if group.by == ("chosen",):
        return f"chosen by its value, as max does, from {joined}", beside
    return f"the {by} of {joined}", beside


def _one_step(
    part: SelectionPart, group: SelectionGroup, samples: Sequence[int]
) -> StateAddress | None:
    """The address, where a sentence is of one; of samples of many lengths that of the longest."""
    (kind, layer, direction) = group.lanes[0]
    longest = max(samples, key=lambda sample: part.lengths[sample])
    steps = group.steps[longest][group.lanes[0]]
    return StateAddress(kind, layer, direction, next(iter(steps))) if len(steps) == 1 else None


def _joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _lane_words(
    part: SelectionPart,
    group: SelectionGroup,
    lane: Lane,
    samples: Sequence[int],
    together: bool = False,
) -> str:
    """The address without a step, with one, with `last`, or with several.

    With `together` the several steps are told elsewhere.
    """
    kind, layer, direction = lane
    taken = [group.steps[sample].get(lane, set()) for sample in samples]
    steps = sorted(set().union(*taken))
    lengths = {part.lengths[sample] for sample in samples}
    name = f"{'h' if kind == 'hidden' else 'c'}[layer={layer}, {direction}"
    pairs = list(zip(taken, (part.lengths[sample] for sample in samples), strict=True))
    if all(one == {last_step(lane, length)} for one, length in pairs):
        relative = len(lengths) > 1 and direction == "forward"
        return f"{name}, step={'last' if relative else steps[0]}]"
    if len(steps) == 1:
        return f"{name}, step={steps[0]}]"
    if all(one == {first_step(lane, length)} for one, length in pairs):
        return f"{name}, step=length - 1]"
    if together:
        return f"{name}]"
    if all(len(one) == length for one, length in pairs):
        return f"{name}] at every step" + (f", 0 to {steps[-1]}" if len(lengths) == 1 else "")
    return f"{name}] at {listed('step', steps)}"


def _history(part: SelectionPart, address: StateAddress, samples: Sequence[int]) -> str:
    """Where on its way a state stands, and how much of the input has reached it."""
    lengths = {part.lengths[sample] for sample in samples}
    if len(lengths) == 1:
        return history(part.shape, lengths.pop(), address)
    lane = (address.kind, address.layer, address.direction)
    last = address.step == last_step(lane, max(lengths))
    where = ""
    if last == (address.direction == "forward"):  # there the step depends on the length
        steps = ", ".join(
            f"step {part.lengths[sample] - 1} of sample {sample}" for sample in samples[:MOST_NAMED]
        )
        where = f" ({steps}{', …' if samples[MOST_NAMED:] else ''})"
    if last:
        return f"{_end('last')}{where}; it has read every symbol"
    if part.shape.bidirectional and address.layer > 0:
        return f"{_end('first')}{where}: {_THROUGH_BELOW.format('one step')} every symbol"
    return f"{_end('first')}{where}; it has read one symbol"


def history(shape: StackShape, length: int, address: StateAddress) -> str:
    """Where on its way a state stands, and how much of an input of this length has reached it.

    Args:
        shape: the stack.
        length: real steps of the sample.
        address: the state.
    """
    own = address.step + 1 if address.direction == "forward" else length - address.step
    first, last = has_read(shape, length, address)
    read = last - first + 1
    symbols = f"{length} symbol{'s' if length > 1 else ''}"
    if own == length:
        end = "the only state that direction computed" if length == 1 else _end("last")
        return f"{end}; it has read {'the one symbol' if length == 1 else f'all {symbols}'}"
    if read == own:
        begin = f"{_end('first')}; " if own == 1 else ""
        return f"{begin}it has read {read} of {symbols}"
    taken = f"{_end('first')}: one step" if own == 1 else f"{own} steps"
    return f"{_THROUGH_BELOW.format(taken)} all {symbols}"


def _end(which: str) -> str:
    return f"the {which} state that direction computed"


def listed(noun: str, numbers: Sequence[int]) -> str:
    """`step 3`, `steps 1 to 4`, `steps 0, 2 and 5`."""
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    if list(numbers) == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2:
        return f"{noun}s {numbers[0]} to {numbers[-1]}"
    shown = [str(number) for number in numbers[:MOST_NAMED]]
    if numbers[MOST_NAMED:]:
        return f"{noun}s {', '.join(shown)}, … ({len(numbers)} of them)"
    return f"{noun}s {', '.join(shown[:-1])} and {shown[-1]}"


def _place(
    part: SelectionPart,
    group: SelectionGroup,
    elements: npt.NDArray[np.int64],
    padded: npt.NDArray[np.int64],
) -> str:
    """Where elements stand: columns, an index, or how many there are.

    Padding may stand between them: it is told on its own.
    """
    sizes = part.sizes
    if not sizes or elements.size == int(np.prod(sizes)):
        return "all of it"
    axes = [np.unique(axis) for axis in np.unravel_index(elements, sizes)]
    if int(np.prod([len(axis) for axis in axes])) != elements.size:
        box = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), sizes).reshape(-1)
        if group.padding or not np.isin(np.setdiff1d(box, elements), padded).all():
            return f"{elements.size} of {int(np.prod(sizes))} elements"
    spans = [_span(axis, size) for axis, size in zip(axes, sizes, strict=True)]
    first, last = int(axes[-1][0]), int(axes[-1][-1])
    half = _half(part, group, first, last)
    if all(span == ":" for span in spans[:-1]) and len(axes[-1]) == last - first + 1:
        if last - first + 1 == sizes[-1]:
            return "all of it"
        name = "column" if len(sizes) > 1 else "element"
        columns = f"{name} {first}" if first == last else f"{name}s {first} to {last}"
        return columns + half
    return f"[{', '.join(spans)}]{half}"


def _half(part: SelectionPart, group: SelectionGroup, first: int, last: int) -> str:
    """Which half of `output`'s columns it is, where it is one and holds what belongs there."""
    size = part.shape.state_size
    if not part.shape.bidirectional or part.sizes[-1] != 2 * size or len(group.lanes) != 1:
        return ""
    kind, layer, direction = group.lanes[0]
    if (kind, layer) != ("hidden", part.shape.num_layers - 1):
        return ""
    belongs = (0, size - 1) if direction == "forward" else (size, 2 * size - 1)
    return f", the {direction} half" if (first, last) == belongs else ""


def _span(axis: npt.NDArray[np.int64], size: int) -> str:
    first, last, count = int(axis[0]), int(axis[-1]), len(axis)
    if count == size:
        return ":"
    if count == 1:
        return str(first)
    step = (last - first) // (count - 1)
    if list(axis) == list(range(first, last + 1, step)):
        return f"{first}:{last + 1}" + (f":{step}" if step > 1 else "")
    shown = ", ".join(map(str, axis[:MOST_NAMED]))
    return f"[{shown}{', …' if count > MOST_NAMED else ''}]"
