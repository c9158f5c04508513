"""The receptive field of a state of an encoder-decoder: in its own grid, and beyond the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from ..grid import StateAddress
from ._grid_part import kinds
from ._receptive_field import chosen_state, receptive_field

if TYPE_CHECKING:
    from ..seq2seq import Seq2Seq

_SIDES = ("encoder", "decoder")


class RunField(NamedTuple):
    """The chosen state, of the encoder or of the decoder, and the encoder's states behind it."""

    encoder: StateAddress | None = None
    decoder: StateAddress | None = None
    reached: frozenset[StateAddress] = frozenset()


def run_field(model: Seq2Seq, field: str, source_steps: int, target_steps: int) -> RunField:
    """Read which state is meant, and find what of the encoder it was computed from.

    A decoder's state comes from the final states that the bridge hands to its own layer and to
    those below, and with input feeding, from the second step on, from all that attention reads.
    The symbols that the decoder reads are taken as given.

    Args:
        model: what ran.
        field: `"encoder "` or `"decoder "` and an address.
        source_steps: steps of the encoder.
        target_steps: steps of the decoder.

    Raises:
        UsageError: it names neither side, or no state of the run.
    """
    side, _, text = field.strip().partition(" ")
    if side not in _SIDES:
        raise UsageError(
            f"the state {field!r} does not say whose it is; write encoder or decoder in front, "
            'such as "encoder h[layer=0, forward, step=0]"'
        )
    steps = source_steps if side == "encoder" else target_steps
    shape = (model.encoder if side == "encoder" else model.decoder).shape
    try:
        chosen = chosen_state(shape, steps, [steps], text.strip())
    except ValueError as fault:
        raise UsageError(f"of the {side}, {fault}") from None
    if side == "encoder":
        return RunField(encoder=chosen)
    return RunField(decoder=chosen, reached=_reached(model, chosen, source_steps))


def _reached(model: Seq2Seq, chosen: StateAddress, steps: int) -> frozenset[StateAddress]:
    shape = model.encoder.shape
    if model.decoder.input_feeding and chosen.step > 0:
        top = shape.num_layers - 1
        read = [
            StateAddress("hidden", top, direction, step)
            for direction in shape.directions
            for step in range(steps)
        ]
        layers = model.decoder.shape.num_layers  # what was fed comes from the last layer
    else:
        read, layers = [], chosen.layer + 1
    for line in model.bridge.map.lines:
        if line.layer < layers:
            read += [
                StateAddress(
                    source.kind,
                    source.layer,
                    source.direction,
                    steps - 1 if source.direction == "forward" else 0,
                )
                for source in line.sources
                if source.kind in kinds(shape)
            ]
    return frozenset().union(*(receptive_field(shape, steps, address) for address in read))
