"""Calls without gradients take a shorter way, which gives what the long one gives."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations

from unrolled import kernels, nn
from unrolled.nn import _layer_run
from unrolled.nn._quick_run import run_quickly

pytestmark = pytest.mark.skipif(
    kernels.why_unavailable() is not None,
    reason="there is no compiled module; runs where g++ was there at installation",
)

LAYERS: dict[str, Callable[..., Any]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "projected": lambda *sizes, **settings: nn.LSTM(*sizes, proj_size=3, **settings),
}
X = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))


def flat(found: Any) -> list[Tensor]:
    output, states = found
    return [output, *(states if isinstance(states, tuple) else (states,))]


def the_long_way(layer: Any, *arguments: Any, patch: pytest.MonkeyPatch) -> list[Tensor]:
    with patch.context() as patched:
        patched.setattr(_layer_run, "run_quickly", lambda *_: None)
        return flat(layer(*arguments))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("settings", [{}, {"bidirectional": True}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "states"])
def test_it_equals_the_long_way(
    kind: str, settings: dict[str, Any], given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = LAYERS[kind](3, 4, num_layers=2, **settings)
    arguments: list[Any] = [X.transpose(0, 1) if layer.batch_first else X]
    with torch.no_grad():
        if given:
            _, states = layer(*arguments)  # of one run, as the next one takes them
            arguments.append(states)
        assert run_quickly(layer, arguments[0], *(arguments[1:] or [None])) is not None
        found = flat(layer(*arguments))
        expected = the_long_way(layer, *arguments, patch=monkeypatch)
    assert len(found) == len(expected)
    assert all(map(torch.equal, found, expected))


def strided(x: Tensor) -> Tensor:
    return torch.stack([x, x], -1)[..., 0]


@pytest.mark.parametrize(
    "given",
    [
        (strided(X),),
        (X, strided(torch.ones(1, 2, 4))),
        (X.expand(5, 2, 3), torch.ones(1, 1, 4).expand(1, 2, 4)),
        (X[:, 0],),
        (X[:, :0],),
        (X.clone().requires_grad_(), torch.ones(1, 2, 4).requires_grad_()),
        (torch.nn.Parameter(X.clone()),),
        (torch._neg_view(X),),
    ],
    ids=["apart", "apart before", "expanded", "unbatched", "empty", "recorded", "parameter", "neg"],
)
def test_tensors_of_every_kind(given: tuple[Tensor, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.GRU(3, 4)
    with torch.no_grad():
        found = flat(layer(*given))
        expected = the_long_way(layer, *given, patch=monkeypatch)
    assert all(map(torch.equal, found, expected))


def parametrized(layer: Any) -> None:
    parametrizations.weight_norm(layer, "weight_hh_l0")


def with_a_plain_weight(layer: Any) -> None:
    weight = layer.weight_hh_l0.detach() * 2
    del layer.weight_hh_l0
    layer.weight_hh_l0 = weight


def in_double(layer: Any) -> None:
    layer.double()


def dropping(layer: Any) -> None:
    layer.dropout = 0.5


@pytest.mark.parametrize("change", [parametrized, with_a_plain_weight, in_double, dropping])
def test_what_the_long_way_is_for(change: Callable[[Any], None]) -> None:
    layer = nn.GRU(3, 4, num_layers=2)
    x = X.double() if change is in_double else X
    with torch.no_grad():
        layer(X)  # once as it was
        change(layer)
        assert run_quickly(layer, x, None) is None
        assert layer(x)[0].dtype == x.dtype
        if change is dropping:
            assert run_quickly(layer.eval(), x, None) is not None


def test_a_weight_in_another_place_is_read_there(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.LSTM(3, 4)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        before = flat(layer(X))
        for parameter in other.parameters():
            parameter.mul_(2)
        layer.weight_ih_l0 = other.weight_ih_l0
        layer.weight_hh_l0.data = other.weight_hh_l0.data
        found = flat(layer(X))
        expected = the_long_way(layer, X, patch=monkeypatch)
    assert all(map(torch.equal, found, expected))
    assert not torch.equal(found[0], before[0])


def test_with_gradients_it_is_not_gone() -> None:
    assert run_quickly(nn.GRU(3, 4), X, None) is None
