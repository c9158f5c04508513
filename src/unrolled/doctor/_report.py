"""What the doctor found: findings, the checks that could not run, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass

from ._finding import Finding, UnrunCheck


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The result of `unrolled.diagnose`. Text, HTML, JSON and JUnit all come from it."""

    model: str
    """The class name of the module that was looked at."""
    findings: tuple[Finding, ...]
    not_run: tuple[UnrunCheck, ...]
    assumptions: tuple[str, ...]
    """One sentence each: which dimension was taken for the batch, which input for the lengths."""
    checks_run: tuple[str, ...]
    """The codes that were looked for, whether found or not."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.severity == "note" for finding in self.findings)
