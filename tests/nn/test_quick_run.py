"""Calls without gradients take a shorter way, which gives what the long one gives."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

import unrolled
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


class Own(Tensor):
    """A kind of tensor."""


H = torch.ones(1, 2, 4)


@pytest.mark.parametrize(
    ("given", "is_quick"),
    [
        ((strided(X), None), False),
        ((X, strided(H)), False),
        ((X[:1].expand(5, 2, 3), None), True),
        ((X[:, :1].expand(5, 2, 3), None), True),
        ((X, H[:, :1].expand(1, 2, 4)), False),
        ((X[:, 0], None), False),
        ((X[:, :0], None), True),
        ((X.clone().requires_grad_(), H.clone().requires_grad_()), True),
        ((torch.nn.Parameter(X.clone()), None), False),
        ((X.as_subclass(Own), None), False),
        ((torch._neg_view(X), None), False),
        ((pack_padded_sequence(X, torch.tensor([5, 3])), None), False),
    ],
)
def test_tensors_of_every_kind(
    given: tuple[Any, Any], is_quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = nn.GRU(3, 4)
    with torch.no_grad():
        assert (run_quickly(layer, *given) is not None) == is_quick
        found = flat(layer(*given))
        expected = the_long_way(layer, *given, patch=monkeypatch)
    if isinstance(found[0], PackedSequence):
        found[0], expected[0] = found[0].data, expected[0].data
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize(
    ("around", "is_quick"),
    [
        (torch.inference_mode, True),
        (lambda: unrolled.engine("torch"), False),
        (lambda: torch.autocast("cpu"), False),
        (lambda: FlopCounterMode(display=False), False),
    ],
    ids=["inference mode", "another engine", "autocast", "a mode"],
)
def test_surroundings_of_every_kind(around: Callable[[], Any], is_quick: bool) -> None:
    layer = nn.GRU(3, 4)
    with torch.no_grad():
        expected = flat(layer(X))
        with around():
            assert (run_quickly(layer, X, None) is not None) == is_quick
            for found, one in zip(flat(layer(X)), expected, strict=True):
                # Autocast rounds to bfloat16 on the way.
                torch.testing.assert_close(found.float(), one, rtol=0, atol=0.02)


def test_torch_func_and_other_weights_are_heard() -> None:
    layer, other = nn.GRU(3, 4), nn.GRU(3, 4)
    ways: list[Any] = []

    def run(x: Tensor) -> Tensor:
        ways.append(run_quickly(layer, x, None))
        return x

    with torch.no_grad():
        layer(X)
        torch.vmap(run)(torch.stack([X, -X]))
        torch.func.grad(lambda x: run(x).sum())(X)
        assert ways == [None, None]
        [output, _] = torch.func.functional_call(layer, dict(other.named_parameters()), (X,))
        assert torch.equal(output, other(X)[0])
        again = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
        assert torch.equal(again(X)[0], layer(X)[0])
        seen: list[Any] = []
        layer.register_forward_hook(lambda *_: seen.append(1))
        layer(X)
        assert seen == [1]


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


def test_a_weight_in_another_place_is_read_there() -> None:
    layer = nn.LSTM(3, 4)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        layer(X)
        other.weight_hh_l0.mul_(2)
        layer.weight_hh_l0.data = other.weight_hh_l0.data
        assert run_quickly(layer, X, None) is not None
        found = flat(layer(X))
        with unrolled.engine("torch"):
            expected = flat(other(X))
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-5, atol=1e-6)


def test_it_is_for_no_grad_and_inference_mode_alone() -> None:
    assert run_quickly(nn.GRU(3, 4).requires_grad_(False), X, None) is None
