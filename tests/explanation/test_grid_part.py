"""The report of a grid: slots, and what each state has read."""

import pytest
import torch
from drawn_grid import check_grid, check_places, drawn_grids
from hypothesis import given
from hypothesis import strategies as st

from unrolled.explanation import (
    AttentionPart,
    PredictionPart,
    Report,
    TablePart,
    explain_shape,
    grid_part,
)
from unrolled.grid import StackShape, StateAddress

shapes = st.builds(
    StackShape,
    st.sampled_from(["rnn_tanh", "rnn_relu", "gru", "lstm"]),
    st.integers(1, 4),
    st.integers(1, 4),
    num_layers=st.integers(1, 4),
    bidirectional=st.booleans(),
)


@given(shapes, st.integers(1, 9), st.data())
def test_every_picture_shows_what_the_layout_says(shape, steps, data):
    lengths = data.draw(st.lists(st.integers(1, steps), min_size=1, max_size=3))
    report = explain_shape(shape, steps, lengths)
    grids = drawn_grids(report.svg())
    assert len(grids) == len(lengths)
    for part, states, length in zip(report.parts, grids, lengths, strict=True):
        assert (part.length, part.steps) == (length, steps)
        check_grid(part, states)
        check_places(part, states)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("cell", ["rnn_tanh", "gru", "lstm"])
def test_what_a_state_has_read_is_what_reaches_it(cell, num_layers, bidirectional):
    """The steps named are those whose input moves the state, by gradient, in torch's own layer."""
    steps, size = 4, 3
    part = grid_part(StackShape(cell, 2, size, num_layers, bidirectional), steps)
    layer = {"rnn_tanh": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    torch.manual_seed(0)
    for top in range(num_layers):  # the last layer of a stack of top + 1 layers is layer `top`
        stack = layer(2, size, top + 1, bidirectional=bidirectional, dtype=torch.float64)
        x = torch.randn(steps, 2, dtype=torch.float64, requires_grad=True)
        output, _ = stack(x)
        for step in range(steps):
            for block, direction in enumerate(part.shape.directions):
                state = output[step, block * size : (block + 1) * size]
                (slope,) = torch.autograd.grad(state.sum(), x, retain_graph=True)
                reached = torch.nonzero(slope.abs().sum(1)).flatten().tolist()
                first, last = part.has_read(StateAddress("hidden", top, direction, step))
                assert reached == list(range(first, last + 1))


def test_slots_name_columns_and_rows():
    shape = StackShape("lstm", 4, 8, num_layers=2, bidirectional=True, proj_size=3)
    part = grid_part(shape, steps=5)
    corner = part.state(StateAddress("hidden", 1, "reverse", 0))
    assert [str(slot) for slot in corner.slots] == [
        "output[step=0, columns 3 to 5]",
        "hidden_state[row=3, columns 0 to 2]",
    ]
    beside = part.state(StateAddress("cell", 1, "reverse", 0))
    assert [str(slot) for slot in beside.slots] == ["cell_state[row=3, columns 0 to 7]"]


def test_a_state_that_is_not_there():
    part = grid_part(StackShape("gru", 4, 8), steps=5, length=3)
    with pytest.raises(
        KeyError, match=r"the stack grid has no state h\[layer=0, forward, step=3\]"
    ):
        part.state(StateAddress("hidden", 0, "forward", 3))


def test_a_grid_that_is_not_there():
    report = explain_shape(StackShape("gru", 4, 8), steps=2, name="encoder")
    assert report.grid("encoder").steps == 2
    with pytest.raises(KeyError, match=r"no grid is called 'decoder'; this report has 'encoder'"):
        report.grid("decoder")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps is 0; a grid has at least one step."),
        ({"steps": 3, "length": 4}, "length is 4; expected 1 to 3, the number of steps."),
        ({"steps": 3, "length": 0}, "length is 0; expected 1 to 3"),
        ({"steps": 3, "symbols": "ab"}, "symbols has 2 entries and the grid 3 real steps"),
        ({"steps": 3, "predicted": "abcd"}, "predicted has 4 entries and the grid 3 real steps"),
    ],
)
def test_a_grid_that_can_not_be(wrong, message):
    with pytest.raises(ValueError, match=message):
        grid_part(StackShape("gru", 4, 8), **wrong)


def test_lengths_that_can_not_be():
    with pytest.raises(ValueError, match="the length of sample 1 is 6"):
        explain_shape(StackShape("gru", 4, 8), steps=5, lengths=[5, 6])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (((0.5, 0.5),), "weights has 1 rows and there are 2 target symbols"),
        (((1.0,), (1.0,)), "a row of weights has 1 entries and there are 2 source symbols"),
        (((0.5, 0.5), (1.5, -0.5)), "attention weights lie between 0 and 1; got -0.5 to 1.5"),
    ],
)
def test_attention_that_can_not_be(weights, message):
    with pytest.raises(ValueError, match=message):
        AttentionPart("ab", ("a", "b"), ("x", "y"), weights)


def test_a_prediction_without_a_guess():
    with pytest.raises(ValueError, match="guesses is empty"):
        PredictionPart("ab", ())


def test_a_table_with_a_short_row():
    with pytest.raises(ValueError, match="row 1 of the table 'T' has 1 fields; expected 2: a, b"):
        TablePart("T", ("a", "b"), (("1", "2"), ("3",)))


def test_a_report_of_nothing():
    report = Report("Nothing", ())
    assert "Nothing" in report.text()
    assert "Nothing" in report.svg()
    assert "Nothing" in report.html()
    assert Report.from_json(report.to_json()) == report
