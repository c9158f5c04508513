"""What the doctor found: findings, the checks that could not run, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass

from ._finding import Finding, UnrunCheck

WITHOUT_A_RUN = frozenset({"M27"})
"""The checks that ask only how a layer was made."""


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
    def has_looked(self) -> bool:
        """Whether a check that runs the model could be run, if any was asked for."""
        return not self.not_run or not set(self.checks_run) <= WITHOUT_A_RUN

    @property
    def ok(self) -> bool:
        """Whether the model was looked at and nothing worse than a note was found."""
        return self.has_looked and all(finding.severity == "note" for finding in self.findings)

    def text(self, width: int = 100) -> str:
        """The report for a terminal, its sentences in lines of at most `width` columns."""
        from ._report_text import render_text

        return render_text(self, width)

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON; `Report.from_json` reads it back."""
        from ._report_json import render_json

        return render_json(self, indent)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote.

        Raises:
            ValueError: the text is no report of the doctor, or one of a newer format.
        """
        from ._report_json import read_json

        return read_json(text)

    def to_html(self) -> str:
        """The report as one self-contained HTML page."""
        from ._report_html import render_html

        return render_html(self)

    def to_junit(self) -> str:
        """The report as JUnit's XML: a test case for each check."""
        from ._report_junit import render_junit

        return render_junit(self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from ._report_html import render_fragment

        return render_fragment(self)
