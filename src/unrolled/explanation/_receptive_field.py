"""What one state was computed from, by the structure of the grid alone."""

from __future__ import annotations

from collections.abc import Sequence

from ..grid import Direction, StackShape, StateAddress
from ._grid_part import GridPart, has_read, kinds

_LONGEST = 200
"""Characters of an address; Python reads no number of thousands of digits."""


def receptive_field(
    shape: StackShape, length: int, address: StateAddress, *, feeds: bool = False
) -> frozenset[StateAddress]:
    """A state and every state that it was computed from.

    Args:
        shape: the stack.
        length: real steps of the sample.
        address: the chosen state, at a real step.
        feeds: whether what the last layer gives at a step is read at the next one.

    >>> shape = StackShape("gru", 4, 8, num_layers=2)
    >>> sorted(map(str, receptive_field(shape, 5, StateAddress("hidden", 1, "forward", 0))))
    ['h[layer=0, forward, step=0]', 'h[layer=1, forward, step=0]']
    """
    read = _so_far(length, address.direction, address.step)  # where the layer below is read
    spans: dict[tuple[int, Direction], range] = {(address.layer, address.direction): read}
    for layer in reversed(range(address.layer)):
        below = {
            direction: _so_far(length, direction, read[-1] if direction == "forward" else read[0])
            for direction in shape.directions
        }
        spans |= {(layer, direction): span for direction, span in below.items()}
        read = range(min(map(min, below.values())), max(map(max, below.values())) + 1)
    field = {
        StateAddress(kind, layer, direction, step)
        for (layer, direction), span in spans.items()
        for step in span
        for kind in kinds(shape)
    }
    if feeds:  # then every layer at the steps before has been read
        field |= {
            StateAddress(kind, layer, direction, step)
            for layer, direction in shape.rows()
            for step in range(address.step)
            for kind in kinds(shape)
        }
    if address.kind == "cell":  # h is computed from the c beside it, and not the other way round
        field.discard(StateAddress("hidden", address.layer, address.direction, address.step))
    return frozenset(field)


def _so_far(length: int, direction: Direction, step: int) -> range:
    """The steps that a direction has computed when it has computed this one."""
    return range(step + 1) if direction == "forward" else range(step, length)


def chosen_state(
    shape: StackShape, steps: int, lengths: Sequence[int], chosen: StateAddress | str
) -> StateAddress:
    """The address of a state that at least one sample has.

    Args:
        shape: the stack.
        steps: columns, padding included.
        lengths: real steps of each sample.
        chosen: an address, or its text.

    Raises:
        ValueError: the text is no address, or no sample has such a state.
    """
    if isinstance(chosen, str) and len(chosen) > _LONGEST:
        raise ValueError(
            f"the state address has {len(chosen)} characters; write one like "
            "'h[layer=1, reverse, step=0]'"
        )
    address = StateAddress.parse(chosen) if isinstance(chosen, str) else chosen
    if address.kind not in kinds(shape):
        cell = f"a {shape.cell}" if shape.input_size else "this run"
        fault = f"{cell} has no cell state; ask for the h of the same place"
    elif address.layer >= shape.num_layers:
        top = shape.num_layers - 1
        fault = "the stack has layer 0 only" if top == 0 else f"the stack has layers 0 to {top}"
    elif address.direction not in shape.directions:
        fault = "the stack runs forward only; ask for forward"
    elif address.step >= steps:
        fault = "the grid has step 0 only" if steps == 1 else f"the grid has steps 0 to {steps - 1}"
    elif address.step >= max(lengths):
        fault = (
            f"step {address.step} is padding in every sample; the last real step is "
            f"{max(lengths) - 1}"
        )
    else:
        return address
    raise ValueError(f"there is no state {address}: {fault}.")


def describe_field(part: GridPart) -> str:
    """What the chosen state has read, in one sentence; empty when none was chosen."""
    address = part.chosen
    if address is None:
        return _describe_reached(part) if part.chosen_elsewhere else ""
    if address.step >= part.length:
        return f"{address} is not here: step {address.step} is padding, no state is computed."
    first, last = has_read(part.shape, part.length, address)
    count = last - first + 1
    symbols = f"{count} of {part.length} symbols"
    if count == part.length:
        symbols = "the one symbol" if count == 1 else f"all {count} symbols"
    steps = f"step {first}" if count == 1 else f"steps {first} to {last}"
    others = len(part.field) - 1
    states = f"{others} other states" if others > 1 else f"{'one' if others else 'no'} other state"
    return f"{address} has read {symbols}: {steps}; it was computed from {states}."


def _describe_reached(part: GridPart) -> str:
    """How much of this grid a state of another one was computed from."""
    if not part.reached:
        return f"{part.chosen_elsewhere} was computed from none of these states."
    spans = [has_read(part.shape, part.length, address) for address in part.reached]
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    count = last - first + 1
    symbols = f"{count} of {part.length} symbols" if count < part.length else "every symbol"
    states = f"{len(part.reached)} of these {len(part.states)} states"
    if len(part.reached) == len(part.states):
        states = "all of these states" if len(part.states) > 1 else "this state"
    return f"{part.chosen_elsewhere} was computed from {states}, and so from {symbols}."
