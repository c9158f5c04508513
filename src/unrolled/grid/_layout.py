"""Which state each slot of `output`, `hidden_state` and `cell_state` holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._address import DIRECTIONS, Kind, StateAddress
from ._integer import check_integer
from ._lengths import check_lengths, lengths_array

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """The addresses held by one tensor, as integers.

    The arrays have the leading axes of the tensor they describe. `output` has one axis more: its
    columns fall into one block per direction, forward first. Iterating gives the address in each
    slot that is not padding, in the order of the tensor.

    Attributes:
        kind: `"hidden"` or `"cell"`.
        layer: layer of each slot.
        direction: 0 for forward, 1 for reverse.
        step: step of each slot; -1 where the slot is padding and holds no state.
    """

    kind: Kind
    layer: Integers
    direction: Integers
    step: Integers

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes of the three arrays."""
        return self.step.shape

    def address(self, *index: int) -> StateAddress | None:
        """The address in one slot, `None` where the slot is padding.

        Args:
            index: one integer per axis of `shape`.

        Raises:
            IndexError: there is no such slot, or an integer is missing.
        """
        if len(index) != len(self.shape):
            raise IndexError(
                f"{len(index)} integers do not name one slot of shape {self.shape}; "
                f"give {len(self.shape)}."
            )
        if not all(-size <= at < size for at, size in zip(index, self.shape, strict=True)):
            raise IndexError(f"there is no slot {index}: the slots have shape {self.shape}.")
        step = int(self.step[index])
        if step < 0:
            return None
        direction = DIRECTIONS[int(self.direction[index])]
        return StateAddress(self.kind, int(self.layer[index]), direction, step)

    def __iter__(self) -> Iterator[StateAddress]:
        addresses = (self.address(*index) for index in np.ndindex(*self.shape))
        return (address for address in addresses if address is not None)


@dataclass(frozen=True, slots=True, init=False)
class Layout:
    """Where the states of a run stand in the tensors that PyTorch's recurrent layers return.

    `output` holds the last layer at every step, both directions side by side for the same input
    step. `hidden_state` holds every layer at the last step its direction computed: step
    `length - 1` forward, step 0 reverse; its rows run l0 forward, l0 reverse, l1 forward, ...
    `cell_state` has the layout of `hidden_state`.
    Layout of `torch.nn.LSTM`: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

    Args:
        num_layers: rows of the grid.
        bidirectional: whether there is a reverse plane.
        steps: columns of the grid, padding included.
        lengths: real steps of each sample, shape (batch,); all steps when absent.
        batch: samples; taken from `lengths` when absent. With neither, the run is unbatched and
            the tensors have no batch axis.
        batch_first: whether `output` is (batch, step, ...) rather than (step, batch, ...).

    Raises:
        TypeError: a size or the lengths are not integers.
        ValueError: a size is below 1 (`batch`: below 0), or a length is not between 1 and `steps`.

    >>> layout = Layout(num_layers=2, bidirectional=True, steps=5, lengths=[5, 3])
    >>> str(layout.output.address(4, 0, 1))  # output[4, sample 0], reverse half
    'h[layer=1, reverse, step=4]'
    >>> str(layout.hidden_state.address(2, 1))  # hidden_state[2, sample 1]
    'h[layer=1, forward, step=2]'
    """

    num_layers: int
    num_directions: int
    steps: int
    lengths: tuple[int, ...]
    batch_first: bool
    batched: bool

    def __init__(
        self,
        num_layers: int,
        bidirectional: bool = False,
        *,
        steps: int,
        lengths: Sequence[int] | Any | None = None,
        batch: int | None = None,
        batch_first: bool = False,
    ) -> None:
        batched = batch is not None or lengths is not None
        if batch is None:
            batch = 1 if lengths is None else lengths_array(lengths).size
        for name, value, least in (
            ("num_layers", num_layers, 1),
            ("steps", steps, 1),
            ("batch", batch, 0),
        ):
            if check_integer(value, name) < least:
                raise ValueError(f"{name} is {value}; it must be {least} or more.")
        checked = check_lengths(lengths, batch=batch, steps=steps)
        for field, held in (
            ("num_layers", num_layers),
            ("num_directions", 1 + bidirectional),
            ("steps", steps),
            ("lengths", tuple(int(length) for length in checked)),
            ("batch_first", batch_first),
            ("batched", batched),
        ):
            object.__setattr__(self, field, held)

    @property
    def output(self) -> Slots:
        """Slots of `output`: (step, batch, direction), batch first or unbatched as asked."""
        batch = len(self.lengths)
        shape = (self.steps, batch, self.num_directions)
        real = np.arange(self.steps)[:, None] < np.asarray(self.lengths, np.int64)[None, :]
        step = np.where(real, np.arange(self.steps)[:, None], -1)
        slots = (
            np.full(shape, self.num_layers - 1, np.int64),
            np.broadcast_to(np.arange(self.num_directions), shape).astype(np.int64),
            np.broadcast_to(step[:, :, None], shape).astype(np.int64),
        )
        if not self.batched:
            slots = tuple(array[:, 0] for array in slots)  # type: ignore[assignment]
        elif self.batch_first:
            slots = tuple(array.swapaxes(0, 1) for array in slots)  # type: ignore[assignment]
        return Slots("hidden", *slots)

    @property
    def hidden_state(self) -> Slots:
        """Slots of `hidden_state` (h_n): (layer x direction, batch), unbatched without batch."""
        return self._final("hidden")

    @property
    def cell_state(self) -> Slots:
        """Slots of `cell_state` (c_n): as `hidden_state`."""
        return self._final("cell")

    def _final(self, kind: Kind) -> Slots:
        shape = (self.num_layers * self.num_directions, len(self.lengths))
        row = np.arange(shape[0])[:, None]
        direction = np.broadcast_to(row % self.num_directions, shape).astype(np.int64)
        layer = np.broadcast_to(row // self.num_directions, shape).astype(np.int64)
        last = np.asarray(self.lengths, np.int64)[None, :] - 1
        step = np.where(direction == 0, last, 0)
        if not self.batched:
            layer, direction, step = layer[:, 0], direction[:, 0], step[:, 0]
        return Slots(kind, layer, direction, step)
