"""unrolled.nn.X(*args)(*inputs) equals torch.nn.X(*args)(*inputs), gradients included."""

import copy
import io
import pickle

import pytest
import torch
from layer_cases import FORMS, KINDS, Case, cases, pair_of_layers, run

import unrolled
from unrolled import nn as ours


@pytest.mark.parametrize("engine", ["torch", "reference"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_in_float64(kind: str, form: str, engine: str) -> None:
    """The full product of layers, directions, bias, batch_first and initial state."""
    seen = 0
    for case in cases():
        if (case.kind, case.form) != (kind, form):
            continue
        theirs, our = pair_of_layers(case, torch.float64)
        expected = run(theirs, case, torch.float64, torch_side=True)
        with unrolled.engine(engine):
            found = run(our, case, torch.float64, torch_side=False)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(
                one, other, rtol=1e-12, atol=1e-12, msg=lambda m, c=case: f"{c}: {m}"
            )
        seen += 1
    assert seen == 3 * 2**4


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("engine", ["native", "torch", "reference"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_in_float32(kind: str, form: str, engine: str) -> None:
    case = Case(kind, 2, True, True, True, True, form)
    theirs, our = pair_of_layers(case, torch.float32)
    expected = run(theirs, case, torch.float32, torch_side=True)
    with unrolled.engine(engine):
        found = run(our, case, torch.float32, torch_side=False)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_weights_and_state_dict(kind: str) -> None:
    theirs, our = pair_of_layers(Case(kind, 2, True, True, False, False, "padded"), torch.float32)
    assert list(theirs.state_dict()) == list(our.state_dict())
    for one, other in zip(theirs.parameters(), our.parameters(), strict=True):
        assert torch.equal(one, other)
    our.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(our.state_dict())
    shown = repr(our).replace("nonlinearity='relu', ", "")  # which torch leaves out
    assert shown == repr(theirs)
    assert len(our.all_weights) == len(theirs.all_weights)
    assert our.mode == theirs.mode


@pytest.mark.parametrize(
    ("name", "positional"),
    [
        ("RNN", (3, 4, 2, "relu", False, True, 0.5, True)),
        ("GRU", (3, 4, 2, False, True, 0.5, True)),
    ],
)
def test_positional_arguments_are_those_of_torch(name: str, positional: tuple) -> None:
    theirs, our = (getattr(library, name)(*positional) for library in (torch.nn, ours))
    for attribute in ("num_layers", "bias", "batch_first", "dropout", "bidirectional", "mode"):
        assert getattr(our, attribute) == getattr(theirs, attribute)


def test_dropout_between_layers_draws_as_torch_does() -> None:
    for name in ("RNN", "GRU", "LSTM"):
        torch.manual_seed(0)
        theirs = getattr(torch.nn, name)(3, 4, 3, dropout=0.5)
        torch.manual_seed(0)
        our = getattr(ours, name)(3, 4, 3, dropout=0.5)
        x = torch.randn(5, 2, 3)
        torch.manual_seed(1)
        expected = theirs(x)[0]
        torch.manual_seed(1)
        torch.testing.assert_close(our(x)[0], expected)
        torch.manual_seed(1)
        torch.testing.assert_close(our.unroll(x).output, expected)


def test_dropout_with_one_layer_warns() -> None:
    with pytest.warns(UserWarning, match="dropout=0.5 does nothing with num_layers=1"):
        ours.GRU(3, 4, dropout=0.5)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_copies_pickles_moves_and_hooks(name: str) -> None:
    layer = getattr(ours, name)(3, 4)
    x = torch.randn(5, 2, 3)
    expected = layer(x)[0]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x)[0], expected)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    double = copy.deepcopy(layer).to(torch.float64)
    torch.testing.assert_close(double(x.double())[0].float(), expected)
    seen = []
    layer.register_forward_hook(lambda module, arguments, result: seen.append(result))
    layer(x)
    assert torch.equal(seen[0][0], expected)


def test_parametrized_weights_are_used() -> None:
    layer = ours.GRU(3, 4)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    output = layer(torch.randn(5, 2, 3))[0]
    output.sum().backward()
    gradients = [p.grad for n, p in layer.named_parameters() if "parametrizations" in n]
    assert len(gradients) == 2
    assert all(bool(gradient.abs().sum() > 0) for gradient in gradients)


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_cells(kind: str, bias: bool, batched: bool, state: bool, engine: str) -> None:
    made = []
    for library in (torch.nn, ours):
        torch.manual_seed(3)
        made.append(getattr(library, kind)(3, 4, bias=bias, dtype=torch.float64))
    assert list(made[0].state_dict()) == list(made[1].state_dict())
    shape = (2,) if batched else ()
    x = torch.randn(*shape, 3, dtype=torch.float64)
    h = torch.randn(*shape, 4, dtype=torch.float64)
    hx = None if not state else (h, h + 1) if kind == "LSTMCell" else h
    expected = made[0](x, hx)
    with unrolled.engine(engine):
        found = made[1](x, hx)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_relu_cell() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.RNNCell(3, 4, nonlinearity="relu")
    torch.manual_seed(0)
    our = ours.RNNCell(3, 4, nonlinearity="relu")
    x = torch.randn(2, 3)
    torch.testing.assert_close(our(x), theirs(x))
    assert repr(our) == "RNNCell(3, 4, nonlinearity='relu')"


def test_autocast_is_torchs() -> None:
    torch.manual_seed(0)
    theirs = torch.nn.GRU(8, 8)
    our = ours.GRU(8, 8)
    our.load_state_dict(theirs.state_dict())
    x = torch.randn(4, 2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(our(x)[0], theirs(x)[0])
