from typing import Any

import numpy as np
import pytest
import torch
from coded_grids import Run, runs
from hypothesis import given

from unrolled.grid import Layout, StateAddress


@given(runs())
def test_slots_say_what_the_definition_says(run: Run) -> None:
    """`output` and `hidden_state` in the words of their definition, slot by slot."""
    layout = run.layout()
    top = run.num_layers - 1
    for sample, length in enumerate(run.real):
        across = () if run.batch is None else (sample,)
        for step in range(run.steps):
            lead = (*across, step) if run.batch_first else (step, *across)
            for block, direction in enumerate(("forward", "reverse")[: run.num_directions]):
                expected = StateAddress("hidden", top, direction, step) if step < length else None
                assert layout.output.address(*lead, block) == expected
        row = 0
        for layer in range(run.num_layers):
            for direction in ("forward", "reverse")[: run.num_directions]:
                last = length - 1 if direction == "forward" else 0
                address = StateAddress("hidden", layer, direction, last)
                assert layout.hidden_state.address(row, *across) == address
                address = StateAddress("cell", layer, direction, last)
                assert layout.cell_state.address(row, *across) == address
                row += 1


@given(runs())
def test_slots_have_the_axes_of_the_tensors(run: Run) -> None:
    layout, grid = run.layout(), run.grid()
    assert layout == grid.layout
    output, size = grid.output, grid.hidden.shape[-1]
    assert layout.output.shape == (*output.shape[:-1], output.shape[-1] // size)
    assert layout.hidden_state.shape == grid.hidden_state.shape[:-1]
    assert layout.cell_state.shape == grid.cell_state.shape[:-1]
    for slots in (layout.output, layout.hidden_state, layout.cell_state):
        for array in (slots.layer, slots.direction, slots.step):
            assert array.shape == slots.shape
            assert array.dtype == np.int64


@pytest.mark.parametrize("num_directions", [1, 2])
@pytest.mark.parametrize("num_layers", [1, 2, 5])
def test_where_output_and_hidden_state_meet(num_layers: int, num_directions: int) -> None:
    layout = Layout(num_layers, num_directions == 2, steps=4)
    output, finals = set(layout.output), set(layout.hidden_state)
    assert len(output & finals) == num_directions
    assert (finals < output) == (num_layers == 1)
    assert not output <= finals
    assert set(layout.cell_state).isdisjoint(output | finals)


def test_iterating_leaves_padding_out() -> None:
    layout = Layout(1, steps=3, lengths=[3, 1])
    assert list(map(str, layout.output)) == [
        "h[layer=0, forward, step=0]",
        "h[layer=0, forward, step=0]",
        "h[layer=0, forward, step=1]",
        "h[layer=0, forward, step=2]",
    ]


@pytest.mark.parametrize(
    "lengths",
    [[3, 1], (3, 1), np.array([3, 1], np.uint8), torch.tensor([3, 1]), torch.tensor([3, 1]).int()],
    ids=["list", "tuple", "NumPy", "int64 tensor", "int32 tensor"],
)
def test_takes_lengths_of_any_form(lengths: Any) -> None:
    assert Layout(1, steps=3, lengths=lengths) == Layout(1, steps=3, lengths=[3, 1], batch=2)


def test_keeps_its_lengths_when_the_caller_changes_them() -> None:
    lengths = np.array([3, 1])
    layout = Layout(1, steps=3, lengths=lengths)
    lengths[:] = 2
    assert layout.lengths == (3, 1)


SIZES: dict[str, Any] = {"num_layers": 2, "steps": 3}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps is 0; it must be 1 or more."),
        ({"num_layers": 0}, ValueError, "num_layers is 0; it must be 1 or more."),
        ({"batch": -1}, ValueError, "batch is -1; it must be 0 or more."),
        ({"steps": 2.5}, TypeError, "steps is 2.5, of type float; it must be an integer."),
        (
            {"lengths": [3, 4]},
            ValueError,
            "the length of sample 1 is 4; it must be between 1 and the number of steps, 3.",
        ),
        (
            {"lengths": [0, 3]},
            ValueError,
            "the length of sample 0 is 0; it must be between 1 and the number of steps, 3.",
        ),
        (
            {"lengths": [3], "batch": 2},
            ValueError,
            "lengths have shape (1,); give one length per sample, shape (2,).",
        ),
        (
            {"lengths": 3},
            ValueError,
            "lengths have shape (); give one length per sample, shape (1,).",
        ),
        ({"lengths": [3.0]}, TypeError, "lengths are float64; they must be integers."),
        ({"lengths": [True]}, TypeError, "lengths are bool; they must be integers."),
        ({"lengths": "abc"}, TypeError, "lengths are text; they must be integers."),
        ({"lengths": ["5"]}, TypeError, "lengths are text; they must be integers."),
        (
            {"lengths": [[3], [1, 2]]},
            TypeError,
            "lengths are not numbers of one kind and range; they must be integers.",
        ),
        (
            {"lengths": [10**30]},
            TypeError,
            "lengths are not numbers of one kind and range; they must be integers.",
        ),
        (
            {"lengths": torch.tensor([1.5])},
            TypeError,
            "lengths are float64; they must be integers.",
        ),
    ],
)
def test_refuses_a_run_that_cannot_be(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refusal:
        Layout(**(SIZES | given))
    assert str(refusal.value) == message


def test_refuses_a_slot_that_is_not_there() -> None:
    slots = Layout(2, steps=3, lengths=[3, 1]).output
    with pytest.raises(IndexError) as refusal:
        slots.address(0, 0)
    assert str(refusal.value) == ("2 integers do not name one slot of shape (3, 2, 1); give 3.")
    with pytest.raises(IndexError) as refusal:
        slots.address(0, 2, 0)
    assert str(refusal.value) == "there is no slot (0, 2, 0): the slots have shape (3, 2, 1)."
