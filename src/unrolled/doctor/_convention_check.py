"""M25: weights that another framework's convention makes right."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import Check
from ._finding import Finding
from ._observation import Observation


def converted_wrongly(seen: Observation) -> Iterator[Finding]:
    """M25: the target is what another order of the same weights gives.

    Args:
        seen: the model.
    """
    yield from ()


CHECKS = (Check("M25", converted_wrongly),)
