"""No model holds the doctor up for longer than it was given, and what was left out is said."""

import contextlib
import threading
import time

import pytest
import torch
from any_model import AnyModel
from torch import Tensor, nn

from unrolled import diagnose
from unrolled.doctor import Report
from unrolled.doctor._time_limit import OutOfTime, left_at

X = torch.randn(4, 7, 3)


def circling(y: Tensor) -> Tensor:
    """No call of PyTorch in it."""
    count = 0
    while True:
        count += 1


def stubborn(y: Tensor) -> Tensor:
    """Swallows each exception, as some retry a call."""
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def waiting(y: Tensor) -> Tensor:
    while True:
        y = y + 1


@pytest.mark.parametrize("forever", [circling, stubborn, waiting])
def test_a_model_that_does_not_come_back(forever: object) -> None:
    model = AnyModel(forever)  # type: ignore[arg-type]
    threads = threading.active_count()
    begun = time.monotonic()
    report = diagnose(model.train(), X, seconds_per_check=0.3)
    assert time.monotonic() - begun < 5
    assert report.not_run[0].why == (
        "one call took longer than 0.3 seconds; give smaller examples or a larger "
        "seconds_per_check."
    )
    assert not report.has_looked
    while threading.active_count() > threads:  # one that was called off is about to end
        assert time.monotonic() - begun < 10
        time.sleep(0.01)
    assert model.training
    assert not model.layer._forward_hooks
    assert torch.get_default_dtype() == torch.float32


def test_nothing_comes_later_when_the_time_was_enough() -> None:
    for _ in range(200):
        with contextlib.suppress(OutOfTime), left_at(time.monotonic() + 0.001):
            sum(range(1000))
    time.sleep(0.05)
    sum(range(100_000))


def test_what_is_past_is_left_at_once() -> None:
    def late() -> None:
        with left_at(time.monotonic() - 1):
            circling(X)

    with pytest.raises(OutOfTime):
        late()


class Deep(nn.Module):
    """200 layers, each reading what all below it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.GRU(2, 2, batch_first=True) for _ in range(200))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)[0]
        return x


def codes(report: Report) -> list[str]:
    return sorted([*report.checks_run, *(unrun.code for unrun in report.not_run)])


def test_the_whole_is_limited_too() -> None:
    model, x = Deep(), torch.randn(3, 4, 2)
    diagnose(AnyModel(), X)  # what is imported and compiled at first is no part of it
    begun = time.monotonic()
    report = diagnose(model, x, seconds_per_check=1.5, seconds_in_all=4)
    assert time.monotonic() - begun < 12
    assert codes(report) == [f"M{n:02d}" for n in range(1, 31)]
    why = {unrun.code: unrun.why for unrun in report.not_run}
    assert why["M30"] == (
        "the 4 seconds for the whole diagnosis were over; give smaller examples, fewer checks or a "
        "larger seconds_in_all."
    )
    assert not report.findings
    assert report.checks_run


def test_no_time_at_all() -> None:
    report = diagnose(AnyModel(), X, seconds_in_all=1e-9)
    assert not report.ok
    assert report.not_run[0].why.startswith("the 1e-09 seconds for the whole diagnosis were over")
    assert codes(report) == [f"M{n:02d}" for n in range(1, 31)]
