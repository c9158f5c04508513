import copy
import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from coded_grids import SIZES, Run, code, runs
from hypothesis import given
from hypothesis import strategies as st

from unrolled.grid import StateAddress, StateGrid

LIBRARIES = pytest.mark.parametrize("library", [np, torch], ids=["numpy", "torch"])


def _holds(value: Any, expected: Any) -> bool:
    return np.array_equal(np.asarray(value), np.asarray(expected))


@LIBRARIES
@given(run=runs())
def test_tensors_hold_exactly_what_the_layout_says(library: Any, run: Run) -> None:
    grid, layout = run.grid(library), run.layout()
    for name, slots in (
        ("output", layout.output),
        ("hidden_state", layout.hidden_state),
        ("cell_state", layout.cell_state),
    ):
        tensor = np.asarray(getattr(grid, name))
        size = SIZES[slots.kind]
        blocks = tensor.reshape(*slots.shape, size)
        assert blocks.size == tensor.size
        batch_axis = None if run.batch is None else int(name != "output" or not run.batch_first)
        for index in np.ndindex(*slots.shape):
            sample = 0 if batch_axis is None else index[batch_axis]
            address = slots.address(*index)
            expected = [0.0] * size if address is None else code(address, sample)
            assert blocks[index].tolist() == expected


@LIBRARIES
@given(run=runs())
def test_an_address_finds_its_state(library: Any, run: Run) -> None:
    grid = run.grid(library)
    found = dict(grid)
    assert list(found) == list(grid.addresses()) == sorted(found)
    assert len(found) == len(grid) == 2 * run.num_layers * run.num_directions * run.steps
    for address, value in found.items():
        assert value.shape == (*(() if run.batch is None else (run.batch,)), SIZES[address.kind])
        assert np.array_equal(value, grid.at(address), equal_nan=True)
        for sample, length in enumerate(run.real):
            if address.step < length:
                mine = value if run.batch is None else value[sample]
                assert _holds(mine, code(address, sample))


@LIBRARIES
@given(run=runs())
def test_final_is_the_last_step_each_direction_computed(library: Any, run: Run) -> None:
    grid = run.grid(library)
    for layer, direction, kind in product(range(run.num_layers), grid.directions, SIZES):
        value = grid.final(layer - run.num_layers, direction, kind)
        assert _holds(value, grid.at(layer, direction, "last", kind))
        for sample, length in enumerate(run.real):
            last = length - 1 if direction == "forward" else 0
            mine = value if run.batch is None else value[sample]
            assert _holds(mine, code(StateAddress(kind, layer, direction, last), sample))


@LIBRARIES
@given(run=runs())
def test_mask_tells_the_real_steps(library: Any, run: Run) -> None:
    grid = run.grid(library)
    expected = [[step < length for step in range(run.steps)] for length in run.real]
    expected = np.array(expected, bool).reshape(run.samples, run.steps)
    if run.batch is None:
        expected = expected[0]
    elif not run.batch_first:
        expected = expected.T
    assert type(grid.mask) is type(grid.hidden)
    assert str(grid.mask.dtype).endswith("bool")
    assert _holds(grid.mask, expected)
    assert _holds(grid.lengths, run.real)


@LIBRARIES
@given(run=runs(), data=st.data())
def test_indices_and_slices(library: Any, run: Run, data: st.DataObject) -> None:
    """`grid[layer, direction, step]` against the same index into the plain array."""
    grid = run.grid(library)
    layer = data.draw(st.integers(-run.num_layers, run.num_layers - 1) | st.slices(run.num_layers))
    direction = data.draw(st.sampled_from(grid.directions) | st.just(slice(None)))
    step = data.draw(st.integers(0, run.steps - 1) | st.just("last") | st.slices(run.steps))
    if library is torch and any(
        isinstance(index, slice) and (index.step or 1) < 0 for index in (layer, step)
    ):
        return  # which torch does not know

    values = np.asarray(grid.hidden)
    if step == "last":
        lasts = {"forward": [length - 1 for length in run.real], "reverse": [0] * run.samples}
        finals = [
            values[:, n, lasts[name], range(run.samples)] for n, name in enumerate(grid.directions)
        ]
        values = np.stack(finals, 1)[:, :, None]
    which = [
        layer % run.num_layers if isinstance(layer, int) else layer,
        direction if isinstance(direction, slice) else grid.directions.index(direction),
        0 if step == "last" else step,
    ]
    kept = tuple(index if isinstance(index, slice) else slice(index, index + 1) for index in which)
    dropped = tuple(axis for axis, index in enumerate(which) if not isinstance(index, slice))
    expected = np.squeeze(values[kept], dropped)
    if run.batch is None:
        expected = expected[..., 0, :]
    assert np.array_equal(grid[layer, direction, step], expected, equal_nan=True)


@given(runs())
def test_an_address_is_an_index(run: Run) -> None:
    grid = run.grid()
    assert all(np.array_equal(grid[at], value, equal_nan=True) for at, value in grid)


@LIBRARIES
@given(run=runs())
def test_map_keeps_what_the_run_was(library: Any, run: Run) -> None:
    grid = run.grid(library)
    doubled = grid.map(lambda array: array * 2)
    assert doubled.layout == grid.layout
    assert _holds(doubled.output, grid.output * 2)
    assert _holds(doubled.cell_state, grid.cell_state * 2)
    assert grid.map(lambda array: array[..., :1]).hidden_state.shape[-1] == 1


@LIBRARIES
def test_names_of_pytorch(library: Any) -> None:
    grid = Run(2, 2, 3, [3, 1], 2, False).grid(library)
    assert _holds(grid.h_n, grid.hidden_state)
    assert _holds(grid.c_n, grid.cell_state)


@LIBRARIES
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda grid: pickle.loads(pickle.dumps(grid))])
def test_copies_and_pickles(library: Any, copied: Any) -> None:
    grid = Run(2, 2, 3, [3, 1], 2, True).grid(library)
    again = copied(grid)
    assert again.layout == grid.layout
    assert _holds(again.output, grid.output)


@LIBRARIES
def test_a_batch_of_nothing(library: Any) -> None:
    grid = StateGrid(library.zeros((2, 2, 3, 0, 4)), library.zeros((2, 2, 3, 0, 5)), lengths=[])
    assert grid.output.shape == (3, 0, 8)
    assert grid.hidden_state.shape == (4, 0, 4)
    assert grid.cell_state.shape == (4, 0, 5)
    assert grid.mask.shape == (3, 0)
    assert grid.final(1, "forward").shape == (0, 4)
    assert "batch of 0" in repr(grid)
    assert "batch of 0" in grid._repr_html_()


@LIBRARIES
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_keeps_the_dtype(library: Any, dtype: str) -> None:
    zeros = library.zeros((1, 2, 3, 2, 4), dtype=getattr(library, dtype))
    grid = StateGrid(zeros, zeros, lengths=[3, 1])
    for array in (grid.output, grid.hidden_state, grid.cell_state, grid.at(0), grid.final()):
        assert array.dtype == zeros.dtype


def test_stays_on_the_device() -> None:
    grid = StateGrid(torch.zeros((1, 2, 3, 2, 4), device="meta"), lengths=[3, 1])
    for array in (grid.output, grid.mask, grid.hidden_state, grid.at(0), grid.final()):
        assert array.device.type == "meta"
    assert "float32 on meta" in repr(grid)


def test_without_padding_nothing_is_copied() -> None:
    """The plain case costs no pass over the states."""
    hidden = np.zeros((2, 1, 3, 2, 4))
    grid = StateGrid(hidden, lengths=[3, 3], batch_first=True)
    assert np.shares_memory(grid.output, hidden)
    assert np.shares_memory(grid.final(), hidden)


class TestRefusals:
    """Each message of a grid."""

    GRID = StateGrid(np.zeros((2, 1, 3, 2, 4)), lengths=[3, 1])
    BOTH = StateGrid(np.zeros((2, 2, 3, 2, 4)), np.zeros((2, 2, 3, 2, 4)))
    AXES = "(layer, direction, step, batch, hidden)"

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            (
                {"hidden": [[1.0]]},
                TypeError,
                "hidden is of type list; it must be a NumPy array or a PyTorch tensor.",
            ),
            (
                {"hidden": np.zeros((2, 1, 3, 2, 4)), "cell": (1,)},
                TypeError,
                "cell is of type tuple; it must be a NumPy array or a PyTorch tensor.",
            ),
            (
                {"hidden": np.zeros((3, 2, 4))},
                ValueError,
                f"hidden has shape (3, 2, 4); it must have five axes, {AXES}.",
            ),
            (
                {"hidden": torch.zeros((1, 1, 0, 2, 4))},
                ValueError,
                f"hidden has shape (1, 1, 0, 2, 4), {AXES}; it must have 1 or 2 directions "
                "and at least one layer and one step.",
            ),
            (
                {"hidden": np.zeros((1, 3, 1, 2, 4))},
                ValueError,
                f"hidden has shape (1, 3, 1, 2, 4), {AXES}; it must have 1 or 2 directions "
                "and at least one layer and one step.",
            ),
            (
                {"hidden": np.zeros((1, 1, 3, 2, 4)), "batched": False},
                ValueError,
                f"hidden has shape (1, 1, 3, 2, 4), {AXES}, but the run is unbatched; "
                "its batch must be 1, or batched must be True.",
            ),
            (
                {"hidden": np.zeros((1, 1, 3, 1, 4)), "batched": False, "lengths": [2]},
                ValueError,
                "lengths were given with an unbatched run; cut its states to their length instead.",
            ),
            (
                {"hidden": np.zeros((2, 1, 3, 2, 4)), "cell": np.zeros((2, 1, 4, 2, 4))},
                ValueError,
                "cell has shape (2, 1, 4, 2, 4) but hidden (2, 1, 3, 2, 4); "
                "it must have the same axes, and only the last may differ in size.",
            ),
            (
                {"hidden": np.zeros((2, 1, 3, 2, 4)), "lengths": [3, 4]},
                ValueError,
                "the length of sample 1 is 4; it must be between 1 and the number of steps, 3.",
            ),
        ],
    )
    def test_of_arrays(self, given: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error) as refusal:
            StateGrid(**given)
        assert str(refusal.value) == message

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            (
                {"layer": 2},
                IndexError,
                "layer is 2, but there are 2 layers: "
                "use 0 to 1 from the input, or -1 to -2 from the top.",
            ),
            (
                {"layer": 0, "step": -1},
                IndexError,
                "step is -1, but the run has 3 steps: use 0 to 2, "
                "or 'last' for the last step that the direction computed.",
            ),
            (
                {"layer": 0, "step": "first"},
                TypeError,
                "step is 'first', of type str; it must be an integer.",
            ),
            (
                {"layer": True},
                TypeError,
                "layer is True, of type bool; it must be an integer.",
            ),
            (
                {"layer": 0, "step": False},
                TypeError,
                "step is False, of type bool; it must be an integer.",
            ),
            (
                {"layer": 0, "direction": "reverse"},
                ValueError,
                "direction is 'reverse', but this run went forward only; ask for 'forward'.",
            ),
            (
                {"layer": 0, "direction": 1},
                ValueError,
                "direction is 1; it must be 'forward' or 'reverse'.",
            ),
            ({"layer": 0, "kind": "c"}, ValueError, "kind is 'c'; it must be 'hidden' or 'cell'."),
            (
                {"layer": 0, "kind": "cell"},
                ValueError,
                "this run has no cell states: only an LSTM has them; ask for kind='hidden'.",
            ),
        ],
    )
    def test_of_addresses(self, given: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error) as refusal:
            self.GRID.at(**given)
        assert str(refusal.value) == message

    def test_of_cell_state(self) -> None:
        with pytest.raises(ValueError, match="this run has no cell states"):
            self.GRID.cell_state  # noqa: B018
        with pytest.raises(ValueError, match="this run has no cell states"):
            self.GRID.c_n  # noqa: B018

    @pytest.mark.parametrize("index", [0, (0, "forward"), (0, "forward", 0, 0)])
    def test_of_indices(self, index: Any) -> None:
        with pytest.raises(IndexError) as refusal:
            self.GRID[index]
        assert str(refusal.value) == (
            f"the index is {index!r}; a grid takes three, grid[layer, direction, step], or one "
            "StateAddress."
        )

    def test_of_what_map_returns(self) -> None:
        with pytest.raises(ValueError, match="all axes but the last must stay") as refusal:
            self.GRID.map(lambda array: array[:, :, 1:])
        assert str(refusal.value) == (
            "the function made hidden of shape (2, 1, 2, 2, 4) from (2, 1, 3, 2, 4); "
            "all axes but the last must stay as they are."
        )
        with pytest.raises(ValueError, match="cell has shape"):
            self.BOTH.map(lambda array: array if array is self.BOTH.hidden else array[:1])
        with pytest.raises(TypeError, match="hidden is of type list"):
            self.GRID.map(list)
