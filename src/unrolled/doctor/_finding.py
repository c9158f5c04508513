"""One finding: which mistake, where, how it was seen, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Number = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen from outside, without a look at the source."""

    probe: str
    """The probe's short name: `"RF"`, `"PERM"`, `"PAD"`, `"ID"`, `"HIST"`, `"CHUNK"`, `"HOOK"`."""
    text: str
    """One sentence with the numbers in it."""
    numbers: dict[str, Number] = field(default_factory=dict)
    """The same numbers by name: `sample`, `step`, `column`, `change` and so on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake at one place."""

    code: str
    """`"M01"` to `"M30"`."""
    severity: Severity
    module: str
    """The qualified name of the submodule, as in `named_modules()`; empty for the model itself."""
    evidence: Evidence
    explanation: str
    """What is wrong, in the vocabulary of the grid."""
    repair: str
    """The repair, as code."""


@dataclass(frozen=True, slots=True)
class UnrunCheck:
    """A check that could not be run on this model and these examples, and why."""

    code: str
    why: str
    """One sentence that ends with what to give so that it can be run."""
