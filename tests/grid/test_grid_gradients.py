"""What a grid of tensors returns carries gradients to the states it came from, and to no other."""

from collections.abc import Callable

import pytest
import torch

from unrolled.grid import StateAddress, StateGrid

LENGTHS = [3, 1]
VIEWS: dict[str, Callable[[StateGrid], torch.Tensor]] = {
    "output": lambda grid: grid.output,
    "hidden_state": lambda grid: grid.hidden_state,
    "cell_state": lambda grid: grid.cell_state,
    "at": lambda grid: grid.at(1, "reverse", 2),
    "final": lambda grid: grid.final(0, "forward", "cell"),
    "address": lambda grid: grid[StateAddress("cell", 1, "forward", 0)],
    "slices": lambda grid: grid[:, "forward", 1:],
    "last": lambda grid: grid[-1, :, "last"],
    "map": lambda grid: grid.map(torch.sin).output,
    "iteration": lambda grid: torch.stack([value for _, value in grid]),
}


def _states(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 2, 3, 2, 2)
    return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_gradcheck(view: str, batch_first: bool) -> None:
    def function(hidden: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        return VIEWS[view](StateGrid(hidden, cell, LENGTHS, batch_first))

    assert torch.autograd.gradcheck(function, (_states(0), _states(1)))


def test_gradient_of_output_and_hidden_state_meet_where_they_overlap() -> None:
    hidden = _states(0)
    grid = StateGrid(hidden, lengths=LENGTHS)
    (by_output,) = torch.autograd.grad(grid.output.sum(), hidden)
    (by_finals,) = torch.autograd.grad(grid.hidden_state.sum(), hidden)
    reached = torch.zeros_like(hidden)
    for sample, length in enumerate(LENGTHS):
        reached[-1, 0, length - 1, sample] = 1
        reached[-1, 1, 0, sample] = 1
    assert torch.equal(by_output * by_finals, reached)


def test_what_stands_at_a_padded_step_reaches_nothing() -> None:
    """Not even as NaN, neither in the values nor in the gradients."""
    values = _states(0).detach()
    values[:, :, 1:, 1] = torch.nan
    hidden = values.requires_grad_()
    grid = StateGrid(hidden, lengths=LENGTHS)
    total = grid.output.square().sum() + grid.hidden_state.square().sum()
    total.backward()
    assert torch.isfinite(total)
    assert hidden.grad is not None
    assert torch.isfinite(hidden.grad).all()


def test_is_usable_under_function_transforms() -> None:
    """The functions are torch's own, so a function transform sees through the grid."""

    def summary(hidden: torch.Tensor) -> torch.Tensor:
        grid = StateGrid(hidden, lengths=LENGTHS)
        return grid.output.sum() + grid.hidden_state.prod()

    hidden = torch.stack([_states(0), _states(1)]).detach()
    expected = torch.stack([summary(each) for each in hidden])
    assert torch.allclose(torch.vmap(summary)(hidden), expected)
    gradient = torch.func.grad(summary)(hidden[0])
    assert gradient.shape == hidden[0].shape
