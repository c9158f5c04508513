"""The values of all states of one run, by address."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from ._address import DIRECTIONS, Direction, Kind, StateAddress, check_direction, check_kind
from ._array import check_array, library_of
from ._dataset import grid_dataset
from ._html import picture_html
from ._integer import check_integer
from ._layout import Layout
from ._lengths import check_lengths
from ._picture import Picture
from ._shape import resolve_layer
from ._text import picture_text

Array = Any  # a NumPy array, a PyTorch tensor, or another array of the array API standard
Step = int | Literal["last"]


class StateGrid:
    """Every state of one run of a recurrent stack.

    The grid holds NumPy arrays or PyTorch tensors as they are: what it returns is computed from
    them by their own library, on their device and in their dtype, so gradients flow through. It
    may be a view of them.

    At a padded step of a sample there is no state; what the arrays hold there is whatever the run
    left. Only `output` sets it to 0.

    Args:
        hidden: h of every state, shape (layer, direction, step, batch, hidden).
        cell: c of every state, shape (layer, direction, step, batch, cell); only for an LSTM.
        lengths: real steps of each sample, shape (batch,); all steps when absent.
        batch_first: whether `output` and `mask` are (batch, step, ...).
        batched: `False` for an unbatched run: the arrays have a batch of 1, and what is returned
            has no batch axis.

    Raises:
        TypeError: `hidden` or `cell` is not an array, or the lengths are not integers.
        ValueError: the arrays do not have these shapes, a length is not between 1 and the number
            of steps, or lengths were given with an unbatched run.

    >>> grid = StateGrid(np.zeros((2, 2, 5, 3, 4)), lengths=[5, 3, 1])
    >>> grid.output.shape, grid.hidden_state.shape
    ((5, 3, 8), (4, 3, 4))
    >>> grid.at(layer=0, direction="reverse", step=2).shape
    (3, 4)
    """

    def __init__(
        self,
        hidden: Array,
        cell: Array | None = None,
        lengths: Any | None = None,
        batch_first: bool = False,
        batched: bool = True,
    ) -> None:
        _check_shapes(hidden, cell, batched)
        if lengths is not None and not batched:
            raise ValueError(
                "lengths were given with an unbatched run; cut its states to their length instead."
            )
        self.hidden = hidden
        self.cell = cell
        self.lengths = check_lengths(lengths, batch=hidden.shape[3], steps=hidden.shape[2])
        self.batch_first = batch_first
        self.batched = batched

    @property
    def num_layers(self) -> int:
        """Rows of the grid."""
        return int(self.hidden.shape[0])

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that ran, forward first."""
        return DIRECTIONS[: self.hidden.shape[1]]

    @property
    def num_directions(self) -> int:
        """1, or 2 when bidirectional."""
        return int(self.hidden.shape[1])

    @property
    def steps(self) -> int:
        """Columns of the grid, padding included."""
        return int(self.hidden.shape[2])

    @property
    def batch(self) -> int:
        """Samples; 1 for an unbatched run."""
        return int(self.hidden.shape[3])

    @property
    def layout(self) -> Layout:
        """Which state each slot of `output`, `hidden_state` and `cell_state` holds."""
        return Layout(
            self.num_layers,
            self.num_directions == 2,
            steps=self.steps,
            lengths=self.lengths if self.batched else None,
            batch_first=self.batch_first,
        )

    @property
    def mask(self) -> Array:
        """Which steps are real: booleans, (step, batch), batch first or unbatched as the run."""
        mask = np.arange(self.steps)[:, None] < self.lengths[None, :]
        library = library_of(self.hidden)
        return self._arranged(library.asarray(mask, device=self.hidden.device))

    @property
    def output(self) -> Array:
        """The last layer at every step, directions side by side: (step, batch, hidden).

        Batch first or unbatched as the run; the last axis is `num_directions * hidden` wide.
        Padded steps are 0.
        """
        library = library_of(self.hidden)
        top = self.hidden[-1].swapaxes(0, 1).swapaxes(1, 2)  # step batch direction hidden
        output = library.reshape(top, (*top.shape[:2], top.shape[2] * top.shape[3]))
        output = self._arranged(output)
        if (self.lengths == self.steps).all():
            return output
        return library.where(self.mask[..., None], output, 0)

    @property
    def hidden_state(self) -> Array:
        """Every layer at the last step its direction computed: (layer x direction, batch, hidden).

        Rows run l0 forward, l0 reverse, l1 forward, ...; without batch axis for an unbatched run.
        """
        return self._final_rows("hidden")

    @property
    def cell_state(self) -> Array:
        """The cell states beside `hidden_state`: (layer x direction, batch, cell).

        Raises:
            ValueError: the run has no cell states.
        """
        return self._final_rows("cell")

    @property
    def h_n(self) -> Array:
        """PyTorch's name for `hidden_state`."""
        return self.hidden_state

    @property
    def c_n(self) -> Array:
        """PyTorch's name for `cell_state`."""
        return self.cell_state

    def at(
        self,
        layer: int | StateAddress,
        direction: Direction = "forward",
        step: Step = 0,
        kind: Kind = "hidden",
    ) -> Array:
        """The value of one state: (batch, hidden), or (hidden,) for an unbatched run.

        Args:
            layer: 0 is next to the input, negative counts from the top; or a whole `StateAddress`.
            direction: `"forward"` or `"reverse"`.
            step: index into the input, 0 first for both directions; `"last"` is the last step that
                the direction computed, sample by sample: `length - 1` forward, 0 reverse.
            kind: `"hidden"` or `"cell"`.

        Raises:
            IndexError: no such layer or step.
            TypeError: the layer or the step is not an integer.
            ValueError: no such direction or kind in this run.
        """
        if isinstance(layer, StateAddress):
            return self.at(layer.layer, layer.direction, layer.step, layer.kind)
        row = (resolve_layer(layer, self.num_layers), self._direction_index(direction))
        plane = self._values(kind)[row]
        step = self._checked_step(step)
        value = self._last(plane, direction) if step == "last" else plane[step]
        return value if self.batched else value[0]

    def final(
        self, layer: int = -1, direction: Direction = "forward", kind: Kind = "hidden"
    ) -> Array:
        """The state at the last step a direction computed: (batch, hidden), or (hidden,).

        Args:
            layer: 0 is next to the input; negative counts from the top.
            direction: `"forward"` or `"reverse"`.
            kind: `"hidden"` or `"cell"`.

        Raises:
            IndexError: no such layer.
            ValueError: no such direction or kind in this run.
        """
        return self.at(layer, direction, "last", kind)

    def __getitem__(
        self, index: StateAddress | tuple[int | slice, Direction | slice, Step | slice]
    ) -> Array:
        """States by `grid[address]`, or hidden states by `grid[layer, direction, step]`.

        Args:
            index: a `StateAddress`; or layer (integer or slice), direction (a name or a slice),
                step (integer, slice or `"last"`). A slice keeps its axis: what is left of (layer,
                direction, step) is followed by (batch, hidden), or (hidden,) for an unbatched run.

        Raises:
            IndexError: no such layer or step, or not three indices.
            TypeError: the layer or the step is not an integer, a slice or `"last"`.
            ValueError: no such direction in this run.
        """
        if isinstance(index, StateAddress):
            return self.at(index)
        if not isinstance(index, tuple) or len(index) != 3:
            raise IndexError(
                f"the index is {index!r}; a grid takes three, grid[layer, direction, step], or one "
                "StateAddress."
            )
        layer, direction, step = index
        row = (
            layer if isinstance(layer, slice) else resolve_layer(layer, self.num_layers),
            direction if isinstance(direction, slice) else self._direction_index(direction),
        )
        step = step if isinstance(step, slice) else self._checked_step(step)
        values = self._finals("hidden")[row] if step == "last" else self.hidden[(*row, step)]
        return values if self.batched else values[..., 0, :]

    def addresses(self) -> Iterator[StateAddress]:
        """Every address of the grid: h before c, by layer, direction and step."""
        kinds: tuple[Kind, ...] = ("hidden",) if self.cell is None else ("hidden", "cell")
        for kind in kinds:
            for layer in range(self.num_layers):
                for direction in self.directions:
                    for step in range(self.steps):
                        yield StateAddress(kind, layer, direction, step)

    def __iter__(self) -> Iterator[tuple[StateAddress, Array]]:
        """Every state with its value, in the order of `addresses`."""
        return ((address, self.at(address)) for address in self.addresses())

    def __len__(self) -> int:
        """How many states there are, padded steps included."""
        kinds = 1 if self.cell is None else 2
        return kinds * self.num_layers * self.num_directions * self.steps

    def map(self, function: Callable[[Array], Array]) -> "StateGrid":
        """A grid whose arrays are `function` of these, such as `lambda a: a.detach()`.

        Args:
            function: takes an array of (layer, direction, step, batch, size) and returns one with
                the same axes; only the last may change its size.

        Raises:
            TypeError: the function returns something that is not an array.
            ValueError: the function changes an axis other than the last.
        """
        hidden = function(self.hidden)
        _check_shapes(hidden, None, self.batched)
        if tuple(hidden.shape[:4]) != tuple(self.hidden.shape[:4]):
            raise ValueError(
                f"the function made hidden of shape {tuple(hidden.shape)} from "
                f"{tuple(self.hidden.shape)}; all axes but the last must stay as they are."
            )
        cell = None if self.cell is None else function(self.cell)
        lengths = self.lengths if self.batched else None
        return StateGrid(hidden, cell, lengths, self.batch_first, self.batched)

    def to_xarray(self) -> Any:
        """The grid as an `xarray.Dataset`: axes by name, and which steps of a sample are real.

        The values are NumPy's, on the CPU and without gradients. An unbatched run has no batch
        axis there either.

        Raises:
            ModuleNotFoundError: xarray is not installed.
        """
        return grid_dataset(self)

    def __repr__(self) -> str:
        return picture_text(Picture.of_grid(self))

    def _repr_html_(self) -> str:
        return picture_html(Picture.of_grid(self))

    def _values(self, kind: Kind) -> Array:
        check_kind(kind)
        if kind == "hidden":
            return self.hidden
        if self.cell is None:
            raise ValueError(
                "this run has no cell states: only an LSTM has them; ask for kind='hidden'."
            )
        return self.cell

    def _final_rows(self, kind: Kind) -> Array:
        finals = self._finals(kind)
        rows = (self.num_layers * self.num_directions, *finals.shape[2:])
        finals = library_of(finals).reshape(finals, rows)
        return finals if self.batched else finals[:, 0]

    def _finals(self, kind: Kind) -> Array:
        """The last state computed, (layer, direction, batch, size)."""
        values = self._values(kind)
        finals = [self._last(values[:, n], name) for n, name in enumerate(self.directions)]
        return library_of(values).stack(finals, 1)

    def _last(self, values: Array, direction: Direction) -> Array:
        """The last state computed, out of (..., step, batch, size) of one direction."""
        if direction == "reverse":
            return values[..., 0, :, :]
        if (self.lengths == self.steps).all():
            return values[..., self.steps - 1, :, :]
        return values[..., self.lengths - 1, np.arange(self.batch), :]

    def _direction_index(self, direction: Direction) -> int:
        check_direction(direction)
        if direction not in self.directions:
            raise ValueError(
                "direction is 'reverse', but this run went forward only; ask for 'forward'."
            )
        return self.directions.index(direction)

    def _checked_step(self, step: Step) -> Step:
        if isinstance(step, str) and step == "last":
            return step
        number = check_integer(step, "step")
        if not 0 <= number < self.steps:
            raise IndexError(
                f"step is {number}, but the run has {self.steps} steps: use 0 to "
                f"{self.steps - 1}, or 'last' for the last step that the direction computed."
            )
        return number

    def _arranged(self, values: Array) -> Array:
        """Bring (step, batch, ...) into the axes of the run."""
        if not self.batched:
            return values[:, 0]
        return values.swapaxes(0, 1) if self.batch_first else values


def _check_shapes(hidden: Array, cell: Array | None, batched: bool) -> None:
    axes = "(layer, direction, step, batch, hidden)"
    check_array(hidden, "hidden")
    shape = tuple(hidden.shape)
    if len(shape) != 5:
        raise ValueError(f"hidden has shape {shape}; it must have five axes, {axes}.")
    if shape[1] > 2 or min(shape[:3]) < 1:
        raise ValueError(
            f"hidden has shape {shape}, {axes}; it must have 1 or 2 directions "
            "and at least one layer and one step."
        )
    if not batched and shape[3] != 1:
        raise ValueError(
            f"hidden has shape {shape}, {axes}, but the run is unbatched; "
            "its batch must be 1, or batched must be True."
        )
    if cell is None:
        return
    check_array(cell, "cell")
    if len(cell.shape) != 5 or tuple(cell.shape[:4]) != shape[:4]:
        raise ValueError(
            f"cell has shape {tuple(cell.shape)} but hidden {shape}; "
            "it must have the same axes, and only the last may differ in size."
        )
