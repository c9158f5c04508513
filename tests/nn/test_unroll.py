"""Every state by name, against a cell stepped by hand, and differentiable."""

import pytest
import torch

import unrolled
from unrolled import nn
from unrolled.grid import StateAddress


@pytest.mark.parametrize("engine", ["torch", "reference"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_states_equal_torchs_cell_stepped_by_hand(engine: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, 2, bidirectional=bidirectional, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    with unrolled.engine(engine):
        grid = layer.unroll(x)
    below = x
    for number in range(2):
        planes = []
        for direction in layer.shape.directions:
            tail = "_reverse" if direction == "reverse" else ""
            cell = torch.nn.LSTMCell(below.shape[-1], 4, dtype=torch.float64)
            cell.load_state_dict(
                {
                    name: getattr(layer, f"{name}_l{number}{tail}")
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                }
            )
            h = c = torch.zeros(2, 4, dtype=torch.float64)
            states = {}
            for step in range(5) if direction == "forward" else reversed(range(5)):
                h, c = cell(below[step], (h, c))
                states[step] = h
                for kind, value in (("hidden", h), ("cell", c)):
                    address = StateAddress(kind, number, direction, step)
                    torch.testing.assert_close(grid.at(address), value, rtol=1e-12, atol=1e-12)
            planes.append(torch.stack([states[step] for step in range(5)]))
        below = torch.cat(planes, dim=-1)


@pytest.mark.parametrize("engine", ["torch", "reference"])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_gradients_of_every_state(name: str, engine: str) -> None:
    torch.manual_seed(0)
    layer = getattr(nn, name)(2, 2, 2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)

    def states(x: torch.Tensor, *weights: torch.Tensor):
        with unrolled.engine(engine):
            grid = layer.unroll(x, lengths=[3, 2])
        return (grid.hidden,) if grid.cell is None else (grid.hidden, grid.cell)

    assert torch.autograd.gradcheck(states, (x, *layer.parameters()))


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_engines_agree_on_packed_unbatched_and_ragged(name: str) -> None:
    torch.manual_seed(0)
    layer = getattr(nn, name)(3, 4, 2, bidirectional=True, batch_first=True, dtype=torch.float64)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.tensor([3, 6]), batch_first=True, enforce_sorted=False
    )
    for arguments in ((x,), (x[0],), (packed,), (x, None, [3, 6])):
        with unrolled.engine("torch"):
            one = layer.unroll(*arguments)
        with unrolled.engine("reference"):
            other = layer.unroll(*arguments)
        for a, b in ((one.hidden, other.hidden), (one.output, other.output)):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
        if name == "LSTM":
            torch.testing.assert_close(one.cell, other.cell, rtol=1e-12, atol=1e-12)


def test_a_loss_on_a_middle_state_reaches_the_weights() -> None:
    layer = nn.GRU(3, 4, 3)
    grid = layer.unroll(torch.randn(6, 2, 3))
    grid.at(layer=1, step=2).sum().backward()
    assert layer.weight_hh_l0.grad.abs().sum() > 0
    assert layer.weight_ih_l1.grad.abs().sum() > 0
    assert not layer.weight_ih_l2.grad.abs().sum() > 0
