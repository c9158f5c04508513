"""Padding never matters, on every engine and both ways the torch engine runs ragged batches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled import nn
from unrolled.kernels import why_unavailable
from unrolled.nn import _torch_engine

NAMES = st.sampled_from(["RNN", "relu", "GRU", "LSTM"])
ENGINES = ["torch", "reference", *([] if why_unavailable() else ["native"])]


def make(name: str, layers: int = 2, dtype: torch.dtype = torch.float32, **extra: object):
    if name == "relu":
        return nn.RNN(3, 4, layers, nonlinearity="relu", bidirectional=True, dtype=dtype)
    return getattr(nn, name)(3, 4, layers, bidirectional=True, dtype=dtype, **extra)


def flat(result: tuple) -> list[Tensor]:
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


@settings(max_examples=40)
@given(
    name=NAMES,
    engine=st.sampled_from(ENGINES),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    extra_steps=st.integers(0, 3),
    rubbish=st.sampled_from([float("nan"), float("inf"), 1e30, -3.0]),
)
def test_a_sample_is_the_same_alone(
    name: str, engine: str, lengths: list[int], extra_steps: int, rubbish: float
) -> None:
    torch.manual_seed(0)
    layer = make(name)
    steps = max(lengths) + extra_steps
    x = torch.randn(steps, len(lengths), 3)
    for sample, length in enumerate(lengths):
        x[length:, sample] = rubbish
    with unrolled.engine(engine):
        output, *states = flat(layer(x, lengths=lengths))
        grid = layer.unroll(x, lengths=lengths)
        torch.testing.assert_close(grid.output, output, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(grid.hidden_state, states[0], rtol=1e-5, atol=1e-6)
        for sample, length in enumerate(lengths):
            alone, *alone_states = flat(layer(x[:length, sample]))
            torch.testing.assert_close(output[:length, sample], alone, rtol=1e-6, atol=1e-6)
            assert not output[length:, sample].any()
            for states_of in (grid.hidden, grid.cell):
                assert states_of is None or not states_of[:, :, length:, sample].any()
            for state, alone_state in zip(states, alone_states, strict=True):
                torch.testing.assert_close(state[:, sample], alone_state, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["RNN", "relu", "GRU", "LSTM"])
@pytest.mark.parametrize("engine", ENGINES)
def test_rubbish_in_the_padding_reaches_no_gradient(name: str, engine: str) -> None:
    layer = make(name)
    x = torch.randn(60, 2, 3)
    x[5:, 1] = float("nan")
    x.requires_grad_()
    with unrolled.engine(engine):
        for result in (flat(layer(x, lengths=[60, 5])), [layer.unroll(x, lengths=[60, 5]).hidden]):
            layer.zero_grad()
            x.grad = None
            sum(value.sum() for value in result).backward()
            assert all(bool(p.grad.isfinite().all()) for p in layer.parameters())
            assert not x.grad[5:, 1].any()


@pytest.mark.parametrize(
    ("name", "extra"),
    [("RNN", {}), ("relu", {}), ("GRU", {}), ("LSTM", {}), ("LSTM", {"proj_size": 2})],
)
def test_the_padded_way_equals_packing_in_float64(
    name: str, extra: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of float32 LSTMs on a CPU, run in float64 and for every cell."""
    monkeypatch.setattr(_torch_engine, "_is_onednn", lambda call: True)
    layer = make(name, 3, torch.float64, **extra)
    lengths = torch.tensor([2, 7, 4])
    x = torch.randn(7, 3, 3, dtype=torch.float64, requires_grad=True)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, states = layer(packed)
    output, _ = pad_packed_sequence(output)
    expected = flat((output, states))
    found = flat(layer(x, lengths=lengths))
    parameters = [x, *layer.parameters()]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    for one, other in zip(
        torch.autograd.grad(sum(v.pow(2).sum() for v in found), parameters),
        torch.autograd.grad(sum(v.pow(2).sum() for v in expected), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_lengths_may_be_a_tensor_a_list_or_an_array() -> None:
    layer = nn.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    expected = layer(x, lengths=[5, 2])[0]
    for lengths in (torch.tensor([5, 2]), torch.tensor([5, 2], dtype=torch.int32), (5, 2)):
        assert torch.equal(layer(x, lengths=lengths)[0], expected)
