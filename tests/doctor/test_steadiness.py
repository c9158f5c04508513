"""A model that does not give the same answer twice is told so, and its runs are not compared."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from any_model import AnyModel
from torch import Tensor, nn

from unrolled import diagnose
from unrolled.doctor import Finding, _request
from unrolled.doctor._check import Check
from unrolled.doctor._observation import Observation
from unrolled.doctor._steadiness import COMPARING
from unrolled.doctor._trial import Runner, Trial

X = torch.randn(4, 7, 3)
LENGTHS = [7, 5, 3, 2]


def by_the_system(y: Tensor) -> Tensor:
    return y + int.from_bytes(os.urandom(2), "big") / 65536


def by_torch(y: Tensor) -> Tensor:
    return y + torch.rand(())


def by_python(y: Tensor) -> Tensor:
    return y + random.random()


def by_numpy(y: Tensor) -> Tensor:
    return y + float(np.random.rand())


def test_noise_that_no_seed_holds() -> None:
    report = diagnose(AnyModel(by_the_system), X, lengths=LENGTHS, target=torch.randn(4, 7, 2))
    assert any("does not give the same answer twice" in line for line in report.assumptions)
    assert {unrun.code for unrun in report.not_run} == COMPARING
    for unrun in report.not_run:
        assert unrun.why.startswith("the model does not give the same answer twice")
    assert len(report.checks_run) == 30 - len(COMPARING)
    assert report.ok


@pytest.mark.parametrize("noise", [by_torch, by_python, by_numpy])
def test_noise_that_a_seed_holds(noise: Callable[[Tensor], Tensor]) -> None:
    report = diagnose(AnyModel(noise), X, lengths=LENGTHS)
    told = [line for line in report.assumptions if "draws random numbers in evaluation" in line]
    assert len(told) == 1
    assert {"M20", "M21"} <= set(report.checks_run)
    left = {unrun.code for unrun in report.not_run if "draws random numbers" in unrun.why}
    assert left == {"M10", "M11", "M23", "M28"}


def test_what_is_seen_in_one_run_is_found_in_noise() -> None:
    for last in (lambda y: by_the_system(y)[:, -1], lambda y: by_torch(y)[:, -1]):
        model = AnyModel(last, both=True)
        assert [finding.code for finding in diagnose(model, X).findings] == ["M01"]


def test_a_random_start_is_found_and_told() -> None:
    class RandomStart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, torch.randn(1, len(x), 4))[0]

    report = diagnose(RandomStart(), X)
    assert [finding.code for finding in report.findings] == ["M19"]
    assert any("draws random numbers in evaluation" in line for line in report.assumptions)


def test_a_result_of_another_size_each_time() -> None:
    calls = iter(range(10**6))
    report = diagnose(AnyModel(lambda y: y[:, : 2 + next(calls) % 3]), X)
    assert any("are others in number or shape" in line for line in report.assumptions)


def test_a_model_that_raises_when_it_is_called_again() -> None:
    calls = iter(range(10**6))

    def raises_later(y: Tensor) -> Tensor:
        if next(calls) >= 2:
            raise RuntimeError("used up")
        return y

    report = diagnose(AnyModel(raises_later), X)
    assert any("does not give the same answer twice" in line for line in report.assumptions)
    assert "M03" in report.checks_run


def test_nothing_is_said_of_a_steady_model() -> None:
    model = AnyModel()
    model.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 2))  # type: ignore[assignment]
    report = diagnose(model.train(), X)
    assert not [line for line in report.assumptions if "random" in line or "twice" in line]


def test_every_check_that_runs_the_model_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """M19 apart, whose very question it is, and M29, which follows one run and compares none."""
    now: list[str] = []
    ran: set[str] = set()
    plain = Runner.run

    def watched(self: Runner, *args: Any, **keywords: Any) -> Trial:
        ran.update(now)
        return plain(self, *args, **keywords)

    def named(check: Check) -> Check:
        def look(seen: Observation) -> Iterator[Finding]:
            now[:] = [check.code]
            yield from check.look(seen)
            now.clear()

        return replace(check, look=look)

    monkeypatch.setattr(Runner, "run", watched)
    monkeypatch.setattr(_request, "CHECKS", tuple(map(named, _request.CHECKS)))
    target = torch.randn(4, 7, 4)
    diagnose(Ragged(), torch.randint(1, 9, (4, 7)), torch.tensor(LENGTHS), target=target)
    assert ran - {"M19", "M29"} <= COMPARING
    assert {"M10", "M20", "M25"} <= ran  # M21 asks for the calls that M20 made


class Ragged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 3)
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.layer(self.embedding(ids))[0]
