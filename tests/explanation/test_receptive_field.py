"""The receptive field of a state: what torch's gradients reach, marked alike in each form."""

import json
import re
from dataclasses import replace

import pytest
import torch
from drawn_grid import drawn_grids
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled.explanation import GridPart, Report, explain_selection, explain_shape, grid_part
from unrolled.grid import StackShape, StateAddress

LAYERS = {"rnn_tanh": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
CELLS = {"rnn_tanh": torch.nn.RNNCell, "gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}
UNITS = 2
BOTH = StackShape("lstm", 1, UNITS, num_layers=2, bidirectional=True)
shapes = st.builds(
    StackShape,
    st.sampled_from(sorted(LAYERS)),
    st.just(1),
    st.just(UNITS),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
)


@st.composite
def chosen_states(draw):
    """A stack, its steps and lengths, and a state that the longest sample has."""
    shape = draw(shapes)
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    layer, direction = draw(st.sampled_from(list(shape.rows())))
    kind = draw(st.sampled_from(["hidden", "cell"] if shape.has_cell_state else ["hidden"]))
    step = draw(st.integers(0, max(lengths) - 1))
    steps = max(lengths) + draw(st.integers(0, 2))
    return shape, steps, lengths, StateAddress(kind, layer, direction, step)


def _states_of_cells(shape, x):
    """Every state of a stack that is run with torch's own cells, each a tensor of the graph."""
    states = {}
    read = list(x)
    for layer in range(shape.num_layers):
        for direction in shape.directions:
            cell = CELLS[shape.cell](read[0].shape[-1], UNITS, dtype=x.dtype)
            order = range(len(x)) if direction == "forward" else reversed(range(len(x)))
            state = None
            for step in order:
                state = cell(read[step], state)
                hidden = state[0] if shape.has_cell_state else state
                states[StateAddress("hidden", layer, direction, step)] = hidden
                if shape.has_cell_state:
                    states[StateAddress("cell", layer, direction, step)] = state[1]
        lanes = [
            [states[StateAddress("hidden", layer, way, step)] for step in range(len(x))]
            for way in shape.directions
        ]
        read = [torch.cat(side_by_side, -1) for side_by_side in zip(*lanes, strict=True)]
    return states


@given(chosen_states())
def test_the_field_is_what_the_graph_of_the_cells_reaches(drawn):
    shape, steps, lengths, chosen = drawn
    torch.manual_seed(0)
    for length in lengths:
        part = grid_part(shape, steps, length, chosen=chosen)
        if chosen.step >= length:
            assert part.field == frozenset()
            continue
        states = _states_of_cells(shape, torch.randn(length, 1, dtype=torch.float64))
        others = [address for address in states if address != chosen]
        slopes = (
            torch.autograd.grad(
                states[chosen].sum(),
                [states[address] for address in others],
                allow_unused=True,
            )
            if others
            else ()
        )
        reached = {a for a, slope in zip(others, slopes, strict=True) if slope is not None}
        reached.add(chosen)
        if shape.has_cell_state:  # torch's cell computes h and c at once; h is o * tanh(c)
            reached |= {replace(a, kind="cell") for a in reached if a.kind == "hidden"}
        assert part.field == reached


@given(chosen_states())
def test_the_symbols_told_are_those_that_move_the_state_in_a_packed_layer(drawn):
    shape, steps, lengths, chosen = drawn
    torch.manual_seed(0)
    stack = LAYERS[shape.cell](  # the last layer of this stack is the layer of the chosen state
        1, UNITS, chosen.layer + 1, bidirectional=shape.bidirectional, dtype=torch.float64
    )
    x = torch.randn(steps, len(lengths), 1, dtype=torch.float64, requires_grad=True)
    packed, _ = stack(pack_padded_sequence(x, lengths, enforce_sorted=False))
    output, _ = pad_packed_sequence(packed)
    first = shape.directions.index(chosen.direction) * UNITS
    for sample, length in enumerate(lengths):
        said = json.loads(Report("R", (grid_part(shape, steps, length, chosen=chosen),)).to_json())[
            "parts"
        ][0]["says"]
        if chosen.step >= length:
            assert said.startswith(f"{chosen} is not here: step {chosen.step} is padding")
            continue
        state = output[chosen.step, sample, first : first + UNITS]
        (slope,) = torch.autograd.grad(state.sum(), x, retain_graph=True)
        moved = slope.abs().sum(-1).nonzero()
        assert set(moved[:, 1].tolist()) == {sample}
        read = sorted(moved[:, 0].tolist())
        count = f"{len(read)} of {length} symbols"
        if len(read) == length:
            count = f"all {length} symbols" if length > 1 else "the one symbol"
        where = f"step {read[0]}" if len(read) == 1 else f"steps {read[0]} to {read[-1]}"
        assert said.startswith(f"{chosen} has read {count}: {where}; ")


@given(chosen_states(), st.sampled_from(["output[-1]", "output[0]", "h_n", None]))
def test_each_form_marks_the_field(drawn, select):
    shape, steps, lengths, chosen = drawn
    report = explain_selection(shape, steps, select, lengths=lengths, field=str(chosen))
    assert Report.from_json(report.to_json()) == report
    parts = report.of(GridPart)
    written = [part for part in json.loads(report.to_json())["parts"] if part["part"] == "grid"]
    for document in (report.svg(), report.html()):
        for part, drawn_states in zip(parts, drawn_grids(document), strict=True):
            assert {state.address for state in drawn_states if state.in_field} == part.field
            gapless = {state.address for state in drawn_states if state.chosen}
            assert gapless == part.field & {chosen}
    text = report.text()
    for part, grid in zip(parts, written, strict=True):
        in_field = {state["address"] for state in grid["states"] if state.get("in_field")}
        assert in_field == set(map(str, part.field))
        assert grid["chosen"] == str(chosen)
        assert grid["says"] in " ".join(text.split())
        assert grid["says"] in report.html()
    brackets = {
        mark: sum(text.count(f"{mark[0]}{c}{mark[1]}") for c in "·○●◉")
        for mark in ("[]", "()", "{}")
    }
    selected = [{e.address for e in part.states if e.selected} for part in parts]
    pairs = list(zip(selected, (part.field for part in parts), strict=True))
    assert brackets["{}"] == sum(len(taken & field) for taken, field in pairs)
    assert brackets["()"] == sum(len(field - taken) for taken, field in pairs)
    assert brackets["[]"] == sum(len(taken - field) for taken, field in pairs)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (
            "h[layer=0, reverse, step=4]",
            "h[layer=0, reverse, step=4] has read 1 of 5 symbols: step 4; it was computed from one "
            "other state.",
        ),
        (
            "c[layer=0, forward, step=0]",
            "c[layer=0, forward, step=0] has read 1 of 5 symbols: step 0; it was computed from no "
            "other state.",
        ),
        (
            "h[layer=1, reverse, step=4]",
            "h[layer=1, reverse, step=4] has read all 5 symbols: steps 0 to 4; it was computed "
            "from 13 other states.",
        ),
    ],
)
def test_one_sentence_tells_it(address, sentence):
    report = explain_selection(BOTH, 5, field=address)
    assert sentence in " ".join(report.text().split())
    assert sentence in report.html()
    assert sentence in report._repr_html_()
    assert sentence in report.svg()


def test_hovering_tells_the_chosen_state_and_its_field():
    chosen = StateAddress("hidden", 0, "reverse", 3)
    (states,) = drawn_grids(explain_selection(BOTH, 5, field=chosen).svg())
    titles = {state.address: state.title.split("\n") for state in states}
    assert "the state whose receptive field is marked" in titles[chosen]
    below = titles[StateAddress("hidden", 0, "reverse", 4)]
    assert "in the receptive field of h[layer=0, reverse, step=3]" in below
    outside = titles[StateAddress("hidden", 0, "reverse", 2)]
    assert not any("receptive field" in line for line in outside)


def test_a_long_grid_says_how_much_of_the_field_is_left_out():
    report = explain_selection(
        StackShape("gru", 1, 2), 200, field=StateAddress("hidden", 0, "forward", 199)
    )
    assert "in the field too, but not drawn: " in report.text()


def test_a_report_without_a_field_has_no_trace_of_it():
    for report in (explain_shape(BOTH, 5), explain_selection(BOTH, 5, "output[-1]")):
        for drawn in (report.svg(), report.html(), report.to_json(), report.text()):
            assert "field" not in drawn
            assert "chosen" not in drawn


@pytest.mark.parametrize(
    ("shape", "address", "sentence"),
    [
        (BOTH, "h[layer=2, forward, step=0]", "the stack has layers 0 to 1."),
        (StackShape("gru", 1, 2), "h[layer=1, forward, step=0]", "the stack has layer 0 only."),
        (
            StackShape("gru", 1, 2),
            "h[layer=0, reverse, step=0]",
            "the stack runs forward only; ask for forward.",
        ),
        (
            StackShape("gru", 1, 2),
            "c[layer=0, forward, step=0]",
            "a gru has no cell state; ask for the h of the same place.",
        ),
        (BOTH, "h[layer=0, forward, step=6]", "the grid has steps 0 to 5."),
        (
            BOTH,
            "h[layer=0, forward, step=5]",
            "step 5 is padding in every sample; the last real step is 4.",
        ),
    ],
)
def test_a_state_that_no_sample_has(shape, address, sentence):
    whole = re.escape(f"there is no state {address}: {sentence}")
    with pytest.raises(ValueError, match=f"^{whole}$"):
        explain_selection(shape, 6, lengths=[3, 5], field=address)


def test_what_is_no_address():
    with pytest.raises(ValueError, match="'output' is not a state address; write it like"):
        explain_selection(BOTH, 5, field="output")
