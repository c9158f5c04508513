"""Learning rates beside PyTorch's schedulers and the published formula."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.seq2seq._schedule import SCHEDULES, learning_rate

STEPS = 40


def rates(schedule: str, warmup_steps: int = 0, steps: int = STEPS) -> list[float]:
    """The rates of a run of so many steps, its progress that of its steps."""
    return [
        learning_rate(0.5, schedule, step=step, progress=step / steps, warmup_steps=warmup_steps)
        for step in range(steps)
    ]


def by_torch(make: type, **settings: object) -> list[float]:
    """The same by a scheduler of PyTorch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = make(optimizer, **settings)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_linear_and_cosine_are_those_of_pytorch() -> None:
    schedulers = torch.optim.lr_scheduler
    linear = by_torch(schedulers.LinearLR, start_factor=1.0, end_factor=0.0, total_iters=STEPS)
    assert rates("linear") == pytest.approx(linear, abs=1e-12)
    cosine = by_torch(schedulers.CosineAnnealingLR, T_max=STEPS)
    assert rates("cosine") == pytest.approx(cosine, abs=1e-12)


def test_inverse_square_root_is_as_published() -> None:
    warmup = 10
    published = [
        min(step**-0.5, step * warmup**-1.5) * warmup**0.5 for step in range(1, STEPS + 1)
    ]  # Vaswani et al. (2017), equation 3, scaled to a peak of 1
    assert rates("inverse_sqrt", warmup) == pytest.approx([0.5 * rate for rate in published])


def test_constant_stays_once_it_is_up() -> None:
    assert rates("constant", 4)[:5] == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5])
    assert set(rates("constant", 4)[4:]) == {0.5}


@given(st.sampled_from(SCHEDULES), st.integers(0, 60))
def test_it_rises_to_its_peak_and_never_above(schedule: str, warmup_steps: int) -> None:
    found = rates(schedule, warmup_steps)
    assert all(0 < rate <= 0.5 for rate in found)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


@pytest.mark.usefixtures("as_users_call")
def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="schedule is 'step'; it must be one of linear, cosine"):
        rates("step")
