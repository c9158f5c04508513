import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.grid import CELLS, StackShape

TORCH = {
    "rnn_tanh": torch.nn.RNN,
    "rnn_relu": lambda *sizes, **flags: torch.nn.RNN(*sizes, nonlinearity="relu", **flags),
    "gru": torch.nn.GRU,
    "lstm": torch.nn.LSTM,
}


@st.composite
def shapes(draw: st.DrawFn) -> StackShape:
    cell = draw(st.sampled_from(CELLS))
    hidden_size = draw(st.integers(2, 5))
    return StackShape(
        cell=cell,
        input_size=draw(st.integers(1, 5)),
        hidden_size=hidden_size,
        num_layers=draw(st.integers(1, 3)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        proj_size=draw(st.integers(0, hidden_size - 1)) if cell == "lstm" else 0,
    )


@given(shapes())
def test_sizes_are_those_of_torch(shape: StackShape) -> None:
    flags = {"proj_size": shape.proj_size} if shape.cell == "lstm" else {}
    layer = TORCH[shape.cell](
        shape.input_size,
        shape.hidden_size,
        num_layers=shape.num_layers,
        bidirectional=shape.bidirectional,
        bias=shape.bias,
        dtype=torch.float64,  # for float32 torch warns that oneDNN knows no projection
        **flags,
    )
    output, states = layer(torch.zeros(3, 2, shape.input_size, dtype=torch.float64))
    hidden_state, cell_state = states if shape.has_cell_state else (states, None)
    assert output.shape == (3, 2, shape.output_size)
    assert hidden_state.shape == (shape.num_rows, 2, shape.state_size)
    if cell_state is None:
        assert shape.cell_size == 0
    else:
        assert cell_state.shape == (shape.num_rows, 2, shape.cell_size)
    for number in range(shape.num_layers):
        weight = getattr(layer, f"weight_ih_l{number}")
        rows = shape.num_gates * shape.hidden_size
        assert weight.shape == (rows, shape.layer_input_size(number))


@given(shapes())
def test_rows_and_row_are_inverse(shape: StackShape) -> None:
    rows = list(shape.rows())
    assert len(rows) == shape.num_rows == len(set(rows))
    assert [shape.row(layer, direction) for layer, direction in rows] == list(range(len(rows)))
    for layer, direction in rows:
        assert shape.row(layer - shape.num_layers, direction) == shape.row(layer, direction)


def test_rows_run_layer_by_layer_forward_first() -> None:
    shape = StackShape("gru", 4, 5, num_layers=2, bidirectional=True)
    assert list(shape.rows()) == [(0, "forward"), (0, "reverse"), (1, "forward"), (1, "reverse")]
    assert shape.row(-1) == 2
    assert shape.row(1, "reverse") == 3


def test_is_a_value() -> None:
    shape = StackShape("lstm", 4, np.int64(5))  # type: ignore[arg-type]
    assert shape == StackShape("lstm", 4, 5) == pickle.loads(pickle.dumps(shape))
    assert hash(shape) == hash(StackShape("lstm", 4, 5))
    assert type(shape.hidden_size) is int


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (
            {"cell": "LSTM"},
            ValueError,
            "cell is 'LSTM'; it must be one of rnn_tanh, rnn_relu, gru, lstm.",
        ),
        ({"hidden_size": 0}, ValueError, "hidden_size is 0; it must be 1 or more."),
        ({"num_layers": 0}, ValueError, "num_layers is 0; it must be 1 or more."),
        ({"input_size": -1}, ValueError, "input_size is -1; it must be 0 or more."),
        ({"proj_size": -1}, ValueError, "proj_size is -1; it must be 0 or more."),
        (
            {"hidden_size": 5.0},
            TypeError,
            "hidden_size is 5.0, of type float; it must be an integer.",
        ),
        (
            {"cell": "gru", "proj_size": 2},
            ValueError,
            "proj_size is 2, but only an LSTM projects its hidden state and this is 'gru'; "
            "leave proj_size at 0.",
        ),
        (
            {"proj_size": 5},
            ValueError,
            "proj_size is 5; it must be smaller than hidden_size=5.",
        ),
    ],
)
def test_refuses_what_no_stack_has(fields: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refusal:
        StackShape(**{"cell": "lstm", "input_size": 4, "hidden_size": 5, **fields})
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("layers", "where", "error", "message"),
    [
        (
            2,
            (2, "forward"),
            IndexError,
            "layer is 2, but there are 2 layers: use 0 to 1 from the input, or -1 to -2 from the "
            "top.",
        ),
        (
            1,
            (-2, "forward"),
            IndexError,
            "layer is -2, but there is 1 layer: use 0 to 0 from the input, or -1 to -1 from the "
            "top.",
        ),
        (1, ("0", "forward"), TypeError, "layer is '0', of type str; it must be an integer."),
        (2, (True, "forward"), TypeError, "layer is True, of type bool; it must be an integer."),
        (1, (0, "up"), ValueError, "direction is 'up'; it must be 'forward' or 'reverse'."),
        (
            1,
            (0, "reverse"),
            ValueError,
            "direction is 'reverse', but this stack runs forward only; "
            "make it bidirectional or ask for 'forward'.",
        ),
    ],
)
def test_refuses_a_row_that_is_not_there(
    layers: int, where: tuple, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refusal:
        StackShape("gru", 4, 5, num_layers=layers).row(*where)
    assert str(refusal.value) == message
