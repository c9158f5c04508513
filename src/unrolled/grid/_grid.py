"""The values of all states of one run, by address."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from ._address import DIRECTIONS, Direction, Kind, StateAddress, check_direction, check_kind
from ._html import grid_html
from ._lengths import check_lengths
from ._shape import resolve_layer
from ._text import grid_text

Array = Any  # a NumPy array or a PyTorch tensor; this folder imports only NumPy
Step = int | Literal["last"]


class StateGrid:
    """Every state of one run of a recurrent stack.

    The grid holds NumPy arrays or PyTorch tensors as they are: what it returns is computed from
    them by their own library, so gradients flow through.

    Args:
        hidden: h of every state, shape (layer, direction, step, batch, hidden).
        cell: c of every state, shape (layer, direction, step, batch, cell); only for an LSTM.
        lengths: real steps of each sample, shape (batch,); all steps when absent.
        batch_first: whether `output` and `mask` are (batch, step, ...).
        batched: `False` for an unbatched run: the arrays have a batch of 1, and what is returned
            has no batch axis.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: the arrays do not have these shapes, or a length is not between 1 and `step`.
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
    def mask(self) -> Array:
        """Which steps are real: booleans, (step, batch), batch first or unbatched as the run."""
        mask = np.arange(self.steps)[:, None] < self.lengths[None, :]
        library = _library(self.hidden)
        return self._arranged(library.asarray(mask, device=self.hidden.device))

    @property
    def output(self) -> Array:
        """The last layer at every step, directions side by side: (step, batch, hidden).

        Batch first or unbatched as the run; the last axis is `num_directions * hidden` wide.
        Padded steps are 0.
        """
        library = _library(self.hidden)
        top = library.moveaxis(self.hidden[-1], 0, 2)  # step batch direction hidden
        output = library.reshape(top, (*top.shape[:2], top.shape[2] * top.shape[3]))
        output = self._arranged(output)
        return library.where(self.mask[..., None], output, 0)

    @property
    def hidden_state(self) -> Array:
        """Every layer at the last step its direction computed: (layer x direction, batch, hidden).

        Rows run l0 forward, l0 reverse, l1 forward, ...; without batch axis for an unbatched run.
        """
        return self._finals("hidden")

    @property
    def cell_state(self) -> Array:
        """The cell states beside `hidden_state`: (layer x direction, batch, cell).

        Raises:
            ValueError: the run has no cell states.
        """
        return self._finals("cell")

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
            ValueError: no such direction or kind in this run.
        """
        if isinstance(layer, StateAddress):
            return self.at(layer.layer, layer.direction, layer.step, layer.kind)
        plane = self._values(kind)[
            resolve_layer(layer, self.num_layers), self._direction_index(direction)
        ]
        if step == "last" and direction == "forward":
            value = plane[self.lengths - 1, np.arange(self.batch)]
        else:
            value = plane[0 if step == "last" else self._step_index(step)]
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

    def __getitem__(self, index: tuple[int | slice, Direction | slice, int | slice]) -> Array:
        """Hidden states by `grid[layer, direction, step]`; a slice keeps its axis.

        Args:
            index: layer (integer or slice), direction (a name or `:`), step (integer or slice).
                What is left of (layer, direction, step) is followed by (batch, hidden).

        Raises:
            IndexError: no such layer or step, or not three indices.
            ValueError: no such direction in this run.
        """
        if not isinstance(index, tuple) or len(index) != 3:
            raise IndexError("a grid takes three indices: grid[layer, direction, step].")
        layer, direction, step = index
        where = (
            layer if isinstance(layer, slice) else resolve_layer(layer, self.num_layers),
            direction if isinstance(direction, slice) else self._direction_index(direction),
            step if isinstance(step, slice) else self._step_index(step),
        )
        values = self.hidden[where]
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
            function: takes and returns an array of (layer, direction, step, batch, size).
        """
        cell = None if self.cell is None else function(self.cell)
        return StateGrid(function(self.hidden), cell, self.lengths, self.batch_first, self.batched)

    def to_xarray(self) -> Any:
        """The grid as an `xarray.Dataset` with named axes.

        Raises:
            ModuleNotFoundError: xarray is not installed.
        """
        try:
            import xarray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "StateGrid.to_xarray needs xarray, which is not installed: pip install xarray.",
                name="xarray",
            ) from error
        axes = ("layer", "direction", "step", "batch")
        variables = {"hidden": ((*axes, "hidden_unit"), _to_numpy(self.hidden))}
        if self.cell is not None:
            variables["cell"] = ((*axes, "cell_unit"), _to_numpy(self.cell))
        return xarray.Dataset(
            variables,
            coords={"direction": list(self.directions), "length": ("batch", self.lengths)},
        )

    def __repr__(self) -> str:
        return grid_text(self)

    def _repr_html_(self) -> str:
        return grid_html(self)

    def _values(self, kind: Kind) -> Array:
        check_kind(kind)
        if kind == "hidden":
            return self.hidden
        if self.cell is None:
            raise ValueError(
                "this run has no cell states: only an LSTM has them; ask for kind='hidden'."
            )
        return self.cell

    def _finals(self, kind: Kind) -> Array:
        self._values(kind)
        return _library(self.hidden).stack(
            [
                self.final(layer, direction, kind)
                for layer in range(self.num_layers)
                for direction in self.directions
            ]
        )

    def _direction_index(self, direction: Direction) -> int:
        check_direction(direction)
        if direction not in self.directions:
            raise ValueError("direction is 'reverse', but this run went forward only.")
        return self.directions.index(direction)

    def _step_index(self, step: int) -> int:
        if not 0 <= step < self.steps:
            raise IndexError(
                f"step is {step}, but the run has {self.steps} steps: use 0 to {self.steps - 1}, "
                "or 'last' for the last step that the direction computed."
            )
        return step

    def _arranged(self, values: Array) -> Array:
        """Bring (step, batch, ...) into the axes of the run."""
        if not self.batched:
            return values[:, 0]
        return values.swapaxes(0, 1) if self.batch_first else values


def _library(array: Array) -> Any:
    """The library an array belongs to: NumPy, or PyTorch where it is already in use."""
    return sys.modules["torch" if _is_torch(array) else "numpy"]


def _is_torch(array: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _to_numpy(array: Array) -> Any:
    return array.detach().cpu().numpy() if _is_torch(array) else np.asarray(array)


def _check_shapes(hidden: Array, cell: Array | None, batched: bool) -> None:
    axes = "(layer, direction, step, batch, hidden)"
    shape = tuple(hidden.shape)
    if len(shape) != 5:
        raise ValueError(f"hidden has shape {shape}; it must have five axes, {axes}.")
    if shape[1] > 2 or min(shape[:3]) < 1:
        raise ValueError(
            f"hidden has shape {shape}, {axes}; it needs 1 or 2 directions "
            "and at least one layer and one step."
        )
    if cell is not None and tuple(cell.shape[:4]) != shape[:4]:
        raise ValueError(
            f"cell has shape {tuple(cell.shape)} but hidden {shape}; "
            "all axes but the last must be the same."
        )
    if not batched and shape[3] != 1:
        raise ValueError(
            f"an unbatched run has a batch of 1, but hidden has shape {shape}, {axes}."
        )
