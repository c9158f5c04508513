"""What a layer refuses, in the same words on every engine."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import unrolled
from unrolled import nn

pytestmark = pytest.mark.usefixtures("as_users_call")

ENGINES = ["native", "torch", "reference"]
X = torch.zeros(5, 2, 3)
PACKED = torch.nn.utils.rnn.pack_padded_sequence(X, torch.tensor([5, 2]))

CASES = [
    ((torch.zeros(3),), {}, ValueError, r"input has 1 axes, shape \(3,\); it must have 2 or 3"),
    ((torch.zeros(5, 2, 4),), {}, ValueError, "input has 4 features .* this layer reads 3"),
    ((X.double(),), {}, ValueError, "input is torch.float64 but the weights are torch.float32"),
    ((X.half(),), {}, ValueError, "input is torch.float16 but"),
    ((X.bfloat16(),), {}, ValueError, "input is torch.bfloat16 but"),
    ((X.long(),), {}, ValueError, "input is torch.int64 but"),
    ((X.cfloat(),), {}, ValueError, "input is torch.complex64 but"),
    ((X[None],), {}, ValueError, r"input has 4 axes, shape \(1, 5, 2, 3\); it must have 2 or 3"),
    ((X.to("meta"),), {}, ValueError, "input is on meta but the weights are on cpu"),
    ((X.to_sparse(),), {}, ValueError, "input is torch.sparse_coo; make it dense"),
    ((3,), {}, TypeError, "input is of type int; give a tensor"),
    ((X, "zeros"), {}, TypeError, "h_0 is of type str; give a tensor"),
    (
        (X,),
        {"lengths": torch.tensor([5, 2], device="meta")},
        ValueError,
        "lengths are on the meta device, which holds no values; give real ones",
    ),
    (([1, 2],), {}, TypeError, "input is a list of 2; give a tensor"),
    ((torch.zeros(0, 2, 3),), {}, ValueError, "the input has 0 steps"),
    (
        (X, torch.zeros(1, 3, 4)),
        {},
        ValueError,
        r"h_0 has shape \(1, 3, 4\); it must be \(1, 2, 4\)",
    ),
    ((X, torch.zeros(1, 2, 4).double()), {}, ValueError, "h_0 is torch.float64"),
    ((X, torch.zeros(1, 2, 4).to("meta")), {}, ValueError, "h_0 is on meta but the weights are on"),
    ((X, torch.zeros(1, 2, 4).to_sparse()), {}, ValueError, "h_0 is torch.sparse_coo; make it"),
    ((X, torch.zeros(2, 4)), {}, ValueError, r"h_0 has shape \(2, 4\); it must be \(1, 2, 4\)"),
    (
        (X, (torch.zeros(1, 2, 4),) * 2),
        {},
        TypeError,
        "state is a tuple of 2; only an LSTM has a cell",
    ),
    ((X, (torch.zeros(1, 2, 4),)), {}, TypeError, "state is a tuple of 1; only an LSTM has a cell"),
    ((X, ()), {}, TypeError, "state is a tuple of 0; only an LSTM has a cell"),
    (
        (X[:, 0], torch.zeros(1, 2, 4)),
        {},
        ValueError,
        r"h_0 has shape \(1, 2, 4\); it must be \(1, 4\)",
    ),
    ((X,), {"lengths": [5, 0]}, ValueError, "the length of sample 1 is 0; .* between 1 and .* 5"),
    ((X,), {"lengths": [5, -2]}, ValueError, "the length of sample 1 is -2"),
    ((X,), {"lengths": [6, 5]}, ValueError, "the length of sample 0 is 6"),
    ((X,), {"lengths": [5]}, ValueError, r"lengths have shape \(1,\); give one length per sample"),
    ((X,), {"lengths": [[5, 2]]}, ValueError, r"lengths have shape \(1, 2\); give one length per"),
    ((X,), {"lengths": torch.tensor([5, 0])}, ValueError, "the length of sample 1 is 0; it must"),
    ((X,), {"lengths": torch.tensor([5, 7])}, ValueError, "the length of sample 1 is 7; it must"),
    ((X,), {"lengths": torch.tensor([5])}, ValueError, r"lengths have shape \(1,\); give one"),
    ((X,), {"lengths": torch.tensor([5.0, 2.0])}, TypeError, "lengths are float32; they must be"),
    ((X,), {"lengths": [True, True]}, TypeError, "lengths are bool; they must be integers"),
    ((X,), {"lengths": [5, float("nan")]}, TypeError, "lengths are float64; they must be integers"),
    ((X,), {"lengths": [5.0, 2.0]}, TypeError, "lengths are float64; they must be integers"),
    ((X[:, 0],), {"lengths": [5]}, ValueError, "lengths were given with an unbatched input"),
    ((PACKED,), {"lengths": [5, 2]}, ValueError, "lengths were given with a PackedSequence"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("arguments", "named", "error", "message"), CASES)
def test_what_a_layer_refuses(
    arguments: tuple, named: dict, error: type[Exception], message: str, engine: str
) -> None:
    layer = nn.GRU(3, 4)
    with unrolled.engine(engine):
        for call in (layer.forward, layer.unroll, torch.no_grad()(layer.forward)):
            with pytest.raises(error, match=message):
                call(*arguments, **named)


def test_an_lstm_takes_a_pair() -> None:
    layer = nn.LSTM(3, 4)
    h = torch.zeros(1, 2, 4)
    for call in (layer, torch.no_grad()(layer.forward)):
        for given, found in ((h, "a tensor"), ((), "a tuple of 0"), ((h,), "a tuple of 1")):
            with pytest.raises(TypeError, match=f"the initial state of an LSTM is {found}; give"):
                call(X, given)
        with pytest.raises(TypeError, match="the initial state of an LSTM is a tuple of 3; give a"):
            call(X, (h, h, h))
        with pytest.raises(ValueError, match=r"c_0 has shape \(1, 2, 5\); it must be \(1, 2, 4\)"):
            call(X, (h, torch.zeros(1, 2, 5)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.GRU(3, 0), "hidden_size is 0; it must be 1 or more"),
        (lambda: nn.GRU(3, 4, 0), "num_layers is 0; it must be 1 or more"),
        (lambda: nn.GRU(-1, 4), "input_size is -1; it must be 0 or more"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.5), "dropout is 1.5; it must be a number from 0 to 1"),
        (lambda: nn.GRU(3, 4, 2, dropout="0.1"), "dropout is '0.1'; it must be a number from 0"),
        (lambda: nn.GRU(3, 4, 2, dropout=True), "dropout is True; it must be a number from 0 to"),
        (lambda: nn.GRU(3, 4, dtype=torch.int64), "dtype is torch.int64; weights must be of a"),
        (lambda: nn.LSTMCell(3, 4, dtype=torch.int8), "dtype is torch.int8; weights must be of a"),
        (lambda: nn.RNN(3, 4, nonlinearity="elu"), "nonlinearity is 'elu'; it must be 'tanh' or"),
        (lambda: nn.RNNCell(3, 4, nonlinearity="elu"), "nonlinearity is 'elu'"),
        (
            lambda: nn.LSTM(3, 4, proj_size=4),
            "proj_size is 4; it must be smaller than hidden_size=4",
        ),
    ],
)
def test_what_cannot_be_made(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("size", [float("inf"), float("nan"), 4.5, "4", None])
@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
def test_sizes_that_are_none(name: str, size: object) -> None:
    sizes = {"input_size": 3, "hidden_size": 4, "num_layers": 2} | {name: size}
    with pytest.raises(TypeError, match=f"{name} is .*; it must be an integer"):
        nn.GRU(**sizes)


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        (torch.nn.LSTM(3, 4), "torch.nn.modules.rnn.LSTM"),
        (torch.nn.Linear(3, 4), "torch.nn.modules.linear.Linear"),
        (nn.GRUCell(3, 4), "unrolled.nn._gru_cell.GRUCell"),
        (nn.GRU, "builtins.type"),
        (X, "torch.Tensor"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "use",
    [
        nn.Stream,
        lambda layer: nn.QuantizedLayer(layer, "int8"),
        lambda layer: nn.engine_for(layer, X),
    ],
    ids=["stream", "quantize", "engine"],
)
def test_what_is_no_layer_is_refused(use: Callable[[Any], Any], layer: Any, found: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^the layer is a {found}; give an RNN, GRU or LSTM of unrolled\.nn\.$"
    ):
        use(layer)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_instruction_set_is_refused_whoever_computes(engine: str) -> None:
    code = (
        "from types import SimpleNamespace as Module\n"
        "from unrolled.kernels import _isa\n"
        "here, there = ['baseline'], ['baseline', 'x']\n"
        "sets = Module(available_isas=lambda: here, compiled_isas=lambda: there)\n"
        "_isa.native = lambda: sets\n"
        "_isa.why_unavailable = lambda: None\n"
        "import torch\n"
        "from unrolled import nn\n"
        "try:\n    nn.GRU(3, 4)(torch.zeros(5, 2, 3))\n"
        "except ValueError as error:\n    print(error)\n"
    )
    for isa, fault in (
        ("mmx", "there is no such instruction set"),
        ("x", "this machine does not have it"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "UNROLLED_ISA": isa, "UNROLLED_ENGINE": engine},
            capture_output=True,
            text=True,
            check=False,
        )
        expected = f"UNROLLED_ISA is {isa!r}, but {fault}; use baseline.\n"
        assert done.stdout == expected, done.stderr


def test_an_unknown_engine_is_refused() -> None:
    before = nn.current_engine()
    with pytest.raises(
        ValueError, match="engine is 'gpu'; this installation has 'native', 'torch'"
    ):
        unrolled.engine("gpu")
    assert nn.current_engine() == before


def test_the_engine_is_restored_also_after_an_error() -> None:
    before = nn.current_engine()
    with pytest.raises(ZeroDivisionError), unrolled.engine("reference"):
        _ = 1 / (nn.current_engine().reason != "chosen by unrolled.engine('reference')")
    assert nn.current_engine() == before
    setter = unrolled.engine("reference")
    assert nn.current_engine().engine.name == "reference"
    setter.__exit__(None, None, None)
    assert nn.current_engine() == before


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("reference", "reference (chosen by UNROLLED_ENGINE=reference)"),
        ("x", "this installation has"),
    ],
)
def test_the_variable_chooses_the_engine(wanted: str, said: str) -> None:
    code = "import unrolled.nn as n; c = n.current_engine(); print(f'{c.engine.name} ({c.reason})')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"UNROLLED_ENGINE": wanted, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("cell", "state", "message"),
    [
        (nn.GRUCell, 1, "h_0 is of type int; give a tensor"),
        (nn.RNNCell, "ab", "h_0 is of type str; give a tensor"),
        (nn.LSTMCell, [None, None], "h_0 is of type NoneType; give a tensor"),
        (nn.LSTMCell, {}, "of type dict; give a pair"),
    ],
)
def test_a_cells_state_that_is_no_tensor_is_refused(cell: Any, state: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        cell(4, 6)(torch.zeros(2, 4), state)
