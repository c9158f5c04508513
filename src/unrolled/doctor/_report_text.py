"""What the doctor found, for a terminal."""

from __future__ import annotations

from textwrap import wrap

from ..explanation._symbol import columns, shown_text
from ._finding import Finding
from ._report import Report
from ._report_words import by_severity, left_out, looked_for, place, probe, reasons, title, verdict

_MARGIN = "  "


def render_text(report: Report, width: int = 100) -> str:
    """The report as plain text, its sentences in lines of at most `width` columns."""
    heading = shown_text(verdict(report))
    blocks = [f"{heading}\n{'═' * columns(heading)}"]
    blocks += [_finding(finding, width) for finding in by_severity(report)]
    if report.not_run:
        lines = [
            line
            for why, codes in reasons(report).items()
            for line in (_several(codes, why, width) if " " in codes else _item(codes, why, width))
        ]
        blocks.append("\n".join([f"{left_out(report)}:", *lines]))
    if report.assumptions:
        lines = [line for text in report.assumptions for line in _item("-", text, width)]
        blocks.append("\n".join(["Assumed:", *lines]))
    blocks.append("\n".join([looked_for(report), *_more(report)]))
    return "\n\n".join(blocks) + "\n"


def _finding(finding: Finding, width: int) -> str:
    where = shown_text(place(finding))
    return "\n".join(
        [
            f"{finding.code} {finding.severity} in {where}: {title(finding.code)}",
            *_wrapped(finding.explanation, width),
            *_wrapped(f"Seen by {probe(finding)}: {finding.evidence.text}", width),
            f"{_MARGIN}Repair:",
            *((_MARGIN * 2 + line).rstrip() for line in code_lines(finding.repair)),
        ]
    )


def code_lines(code: str) -> list[str]:
    """The lines of a piece of code, all that is invisible in them made visible."""
    return [shown_text(line) if line.strip() else "" for line in code.rstrip().splitlines()]


def _wrapped(text: str, width: int) -> list[str]:
    return [_MARGIN + line for line in wrap(shown_text(text), width - len(_MARGIN))]


def _item(mark: str, text: str, width: int) -> list[str]:
    start = f"{_MARGIN}{mark} "
    return wrap(shown_text(text), width, initial_indent=start, subsequent_indent=" " * len(start))


def _several(codes: str, why: str, width: int) -> list[str]:
    indented = _MARGIN * 2
    text = shown_text(f"{codes}: {why}")
    return wrap(text, width, initial_indent=_MARGIN, subsequent_indent=indented)


def _more(report: Report) -> list[str]:
    codes = dict.fromkeys(finding.code for finding in by_severity(report))
    return [f"More on a mistake: unrolled doctor --explain {next(iter(codes))}"] if codes else []
