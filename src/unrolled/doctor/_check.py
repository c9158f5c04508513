"""A check: which mistake it looks for, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ._finding import Evidence, Finding, Number, Severity
from ._observation import Observation


class CannotTell(Exception):  # noqa: N818  (no fault, only an answer)
    """This model and these examples do not show it; the text says what would."""


@dataclass(frozen=True)
class Check:
    """One mistake and the function that looks for it."""

    code: str
    look: Callable[[Observation], Iterator[Finding]]


def finding(
    code: str,
    severity: Severity,
    module: str,
    probe: str,
    text: str,
    explanation: str,
    repair: str,
    **numbers: Any,
) -> Finding:
    """A finding, its numbers as plain ones.

    Args:
        code: of the mistake.
        severity: how bad.
        module: where.
        probe: how it was seen.
        text: one sentence with the numbers.
        explanation: what is wrong.
        repair: as code.
        numbers: by name.
    """
    plain: dict[str, Number] = {
        name: value if isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in numbers.items()
    }
    return Finding(code, severity, module, Evidence(probe, text, plain), explanation, repair)
