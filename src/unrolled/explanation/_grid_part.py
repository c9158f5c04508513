"""The layers x time grid of one sample: which states there are and which tensors hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from ..grid import KINDS, Kind, Layout, Slots, StackShape, StateAddress

Tensor = Literal["output", "hidden_state", "cell_state"]
TENSORS: tuple[Tensor, ...] = get_args(Tensor)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a tensor, and the columns of it that one state fills.

    `index` is a step of `output`, or a row of `hidden_state` or `cell_state`; `columns` is the
    first column and the one after the last.
    """

    tensor: Tensor
    index: int
    columns: tuple[int, int]

    def __str__(self) -> str:
        axis = "step" if self.tensor == "output" else "row"
        first, stop = self.columns
        return f"{self.tensor}[{axis}={self.index}, columns {first} to {stop - 1}]"


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One state of the grid: its address, the slots that hold it, its Euclidean norm if it ran.

    `selected` marks a state that the selection of the report takes. `gate` is how far the gate that
    the grid shows was open, the mean over its units; `None` for a state that this gate does not
    make.
    """

    address: StateAddress
    slots: tuple[Slot, ...] = ()
    norm: float | None = None
    selected: bool = False
    gate: float | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors this state is in, in a fixed order."""
        held = {slot.tensor for slot in self.slots}
        return tuple(tensor for tensor in TENSORS if tensor in held)


@dataclass(frozen=True)
class GridPart:
    """The grid of one sample.

    Attributes:
        name: whose grid it is, such as `"encoder"`.
        shape: the recurrent stack.
        steps: columns, padding included.
        length: real steps, 1 to `steps`.
        states: every state computed, layer by layer; padded steps have none.
        symbols: what the stack read at each real step; empty when not known.
        predicted: what was predicted from each real step; empty when nothing was.
        initial: what the states before the first step are, such as `"bridge"`; empty for zeros.
        chosen: the state whose receptive field is marked; at a padded step it has none.
        feeds: whether what the last layer gives at a step is read at the next one, as by a decoder
            with input feeding.
        chosen_elsewhere: the state of another grid whose receptive field is marked in this one,
            such as `"decoder h[layer=0, forward, step=2]"`; empty when there is none.
        reached: the states of this grid that the state elsewhere was computed from.
        values: what is told of each state in numbers, and shades it: `"norm"`, or the name of a
            gate; empty when no numbers are asked for.
    """

    name: str
    shape: StackShape
    steps: int
    length: int
    states: tuple[StateEntry, ...]
    symbols: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    initial: str = ""
    chosen: StateAddress | None = None
    feeds: bool = False
    chosen_elsewhere: str = ""
    reached: frozenset[StateAddress] = frozenset()
    values: str = ""
    _by_address: dict[StateAddress, StateEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what, given in (("symbols", self.symbols), ("predicted", self.predicted)):
            if given and len(given) != self.length:
                raise ValueError(
                    f"{what} has {len(given)} entries and the grid {self.length} real steps; "
                    f"give one for each real step or none."
                )
        object.__setattr__(self, "_by_address", {entry.address: entry for entry in self.states})

    def state(self, address: StateAddress) -> StateEntry:
        """The entry of an address.

        Raises:
            KeyError: the grid has no such state.
        """
        try:
            return self._by_address[address]
        except KeyError:
            raise KeyError(f"the {self.name} grid has no state {address}") from None

    def held_by(self, tensor: Tensor) -> frozenset[StateAddress]:
        """The addresses of all states that a tensor holds."""
        return frozenset(entry.address for entry in self.states if tensor in entry.tensors)

    def has_read(self, address: StateAddress) -> tuple[int, int]:
        """First and last step of the input that can reach a state.

        In layer 0 the forward direction has read from step 0 on, the reverse direction from the
        last real step on. A layer above it reads both directions at each step, so when there are
        two, its states have read everything.
        """
        return has_read(self.shape, self.length, address)

    @cached_property
    def field(self) -> frozenset[StateAddress]:
        """The chosen state and all that it was computed from; empty when none was chosen."""
        from ._receptive_field import receptive_field

        if self.chosen is None or self.chosen.step >= self.length:
            return self.reached
        return receptive_field(self.shape, self.length, self.chosen, feeds=self.feeds)

    @property
    def cell(self) -> str:
        """The cell; empty for a recorded run, which does not tell which of those without c it is.

        Of such a run the size of the input is not known either, and stands as 0.
        """
        known = self.shape.input_size or self.shape.has_cell_state
        return self.shape.cell if known else ""

    @property
    def field_of(self) -> str:
        """The state whose receptive field is marked, here or elsewhere; empty when none is."""
        return self.chosen_elsewhere if self.chosen is None else str(self.chosen)

    def shade(self, entry: StateEntry) -> float | None:
        """How full the box of a state is drawn, 0 to 1; `None` where it has no value to show."""
        if self.values not in ("", "norm"):
            return entry.gate
        if entry.norm is None:
            return None
        largest = self.largest_norm[entry.address.kind]
        return (entry.norm / largest) ** 2 if largest > 0 else 0.0

    @cached_property
    def largest_norm(self) -> Mapping[str, float]:
        """The largest norm of each kind of state; empty when no values are known."""
        largest: dict[str, float] = {}
        for entry in self.states:
            if entry.norm is not None:
                kind = entry.address.kind
                largest[kind] = max(largest.get(kind, 0.0), entry.norm)
        return largest


def has_read(shape: StackShape, length: int, address: StateAddress) -> tuple[int, int]:
    """First and last step of an input of this length that can reach a state."""
    if shape.bidirectional and address.layer > 0:
        return 0, length - 1
    if address.direction == "forward":
        return 0, address.step
    return address.step, length - 1


def kinds(shape: StackShape) -> tuple[Kind, ...]:
    """The kinds of state that a stack has."""
    return KINDS if shape.has_cell_state else ("hidden",)


def _slots(shape: StackShape, steps: int, length: int) -> dict[StateAddress, list[Slot]]:
    """The slots of each held state, as `Layout` has them."""
    layout = Layout(
        num_layers=shape.num_layers,
        bidirectional=shape.bidirectional,
        steps=steps,
        lengths=[length],
        batch=1,
    )
    held: dict[StateAddress, list[Slot]] = {}
    for step in range(steps):
        for block in range(shape.num_directions):
            address = layout.output.address(step, 0, block)
            if address is not None:
                columns = (block * shape.state_size, (block + 1) * shape.state_size)
                held.setdefault(address, []).append(Slot("output", step, columns))
    finals: list[tuple[Tensor, Slots, int]] = [
        ("hidden_state", layout.hidden_state, shape.state_size)
    ]
    if shape.has_cell_state:
        finals.append(("cell_state", layout.cell_state, shape.cell_size))
    for tensor, slots, size in finals:
        for row in range(shape.num_rows):
            address = slots.address(row, 0)
            if address is not None:
                held.setdefault(address, []).append(Slot(tensor, row, (0, size)))
    return held


def grid_part(
    shape: StackShape,
    steps: int,
    length: int | None = None,
    *,
    name: str = "stack",
    symbols: Sequence[str] = (),
    predicted: Sequence[str] = (),
    initial: str = "",
    norms: Mapping[StateAddress, float] | None = None,
    selected: Collection[StateAddress] = (),
    chosen: StateAddress | None = None,
    feeds: bool = False,
    chosen_elsewhere: str = "",
    reached: Collection[StateAddress] = (),
    values: str = "",
    gates: Mapping[StateAddress, float] | None = None,
) -> GridPart:
    """The grid of a stack of this shape over one sample.

    Args:
        shape: the recurrent stack.
        steps: columns, padding included.
        length: real steps; all of them when left out.
        name: whose grid it is.
        symbols: what was read at each real step.
        predicted: what was predicted from each real step.
        initial: what the states before the first step are; empty for zeros.
        norms: Euclidean norm of each state, where there are values.
        selected: the states to mark as selected.
        chosen: the state whose receptive field to mark.
        feeds: whether what the last layer gives at a step is read at the next one.
        chosen_elsewhere: the state of another grid whose receptive field to mark in this one.
        reached: the states of this grid that are in it.
        values: `"norm"` or the name of a gate, to be told in numbers.
        gates: how far that gate was open, 0 to 1, for each state that it makes.

    Raises:
        ValueError: a size out of range, or symbols that do not match the length.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; a grid has at least one step.")
    length = steps if length is None else length
    if not 1 <= length <= steps:
        raise ValueError(f"length is {length}; expected 1 to {steps}, the number of steps.")
    held = _slots(shape, steps, length)
    addresses = [
        StateAddress(kind, layer, direction, step)
        for layer, direction in shape.rows()
        for step in range(length)
        for kind in kinds(shape)
    ]
    return GridPart(
        name=name,
        shape=shape,
        steps=steps,
        length=length,
        states=tuple(
            StateEntry(
                address,
                tuple(held.get(address, ())),
                None if norms is None else norms[address],
                address in selected,
                None if gates is None else gates.get(address),
            )
            for address in addresses
        ),
        symbols=tuple(symbols),
        predicted=tuple(predicted),
        initial=initial,
        chosen=chosen,
        feeds=feeds,
        chosen_elsewhere=chosen_elsewhere,
        reached=frozenset(reached),
        values=values,
    )
