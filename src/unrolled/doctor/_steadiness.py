"""Whether a model gives the same answer twice, and what cannot be said of one that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ._observation import Observation
from ._stillness import SEED
from ._trial import Trial

COMPARING = frozenset({"M10", "M11", "M20", "M21", "M23", "M25", "M28"})
"""The checks that hold one run against another.

M19 is not among them: that two runs start from different states is just what it looks for.
"""
OTHER_INPUTS = frozenset({"M10", "M11", "M23", "M28"})
"""Those of them whose runs are not of the same size, so that a seed draws them other numbers."""
ROUNDING = 1e-6
"""Of the largest number: what threads may do to a sum in single precision."""


@dataclass(frozen=True)
class Steadiness:
    """How far a run is from another one of the same inputs."""

    with_seed: float
    """In the same random state: no random number that can be seeded is to blame."""
    without: float
    """In another random state."""

    @property
    def said(self) -> str | None:
        """A sentence for the report; None where the model gives the same twice."""
        if self.with_seed > 0:
            return (
                "The model does not give the same answer twice: with the same inputs and random "
                f"seed its results or states {_change(self.with_seed)}. Checks that compare "
                "runs were left out."
            )
        if self.without > 0:
            return (
                "The model draws random numbers in evaluation: with another seed its results or "
                f"states {_change(self.without)}. It was looked at with one seed."
            )
        return None

    def why_not(self, code: str) -> str | None:
        """Why a check cannot be run on this model; None where it can.

        Args:
            code: of the check.
        """
        if self.with_seed > 0 and code in COMPARING:
            return (
                "the model does not give the same answer twice, so that runs cannot be compared; "
                "give one that does in evaluation."
            )
        if self.without > 0 and code in OTHER_INPUTS:
            return (
                "the model draws random numbers in evaluation, and others with other padding, so "
                "that the two cannot be compared; give one that draws none."
            )
        return None


def _change(size: float) -> str:
    return f"move by {size:.3g}" if math.isfinite(size) else "are others in number or shape"


def steadiness(seen: Observation) -> Steadiness:
    """Runs the model again, once as before and once with other random numbers.

    Args:
        seen: its first runs.
    """
    again = seen.runner.run(seen.examples, cutting=False, graph=False)
    other = seen.runner.run(seen.examples, cutting=False, seed=SEED + 1, graph=False)
    return Steadiness(_apart(seen.whole, again), _apart(seen.whole, other))


def _apart(one: Trial, other: Trial) -> float:
    """The most that a result moves, or else a state; 0 for what rounding does."""
    pairs = [(one.results, other.results), (_states(one), _states(other))]
    for before, after in pairs:
        if len(before) != len(after):
            return float("inf")
        moved = max((_moved(a, b) for a, b in zip(before, after, strict=True)), default=0.0)
        if moved > 0:
            return moved
    return 0.0


def _states(trial: Trial) -> list[Tensor]:
    return [run.h_n for run in trial.recorder.runs]


def _moved(before: Tensor, after: Tensor) -> float:
    if before.shape != after.shape:
        return float("inf")
    if not before.numel():
        return 0.0
    before, after = before.detach().double(), after.detach().double()
    moved = float((before - after).abs().max())
    return moved if moved > ROUNDING * max(float(before.abs().max()), 1.0) else 0.0
