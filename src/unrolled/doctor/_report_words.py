"""The sentences that every rendering of a report shares."""

from __future__ import annotations

from ._catalogue import MISTAKES
from ._finding import SEVERITIES, Finding
from ._report import Report

PROBES = {
    "RF": "receptive field",
    "PERM": "permuted batch",
    "PAD": "other padding",
    "ID": "named states",
    "HIST": "repeated calls",
    "CHUNK": "run in chunks",
    "HOOK": "what the layer is given",
}
"""What each probe is, in a few words."""


def verdict(report: Report) -> str:
    """What was found, in one sentence."""
    if unlooked(report):
        what = "could not be looked at"
    elif not report.findings:
        what = "nothing wrong was found"
    else:
        what = listed([counted(report, severity) for severity in SEVERITIES])
    return f"{report.model}: {what}"


def unlooked(report: Report) -> bool:
    """Whether nothing is known of the model: no check could run it, and none found anything."""
    return not report.has_looked and not report.findings


def counted(report: Report, severity: str) -> str:
    """`"2 errors"`; empty where there is none."""
    number = sum(finding.severity == severity for finding in report.findings)
    return f"{number} {severity}{'s' if number > 1 else ''}" if number else ""


def listed(words: list[str]) -> str:
    """`"a, b and c"` of those that are not empty."""
    words = [word for word in words if word]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def title(code: str) -> str:
    """The title of a mistake, or the code itself if the catalogue lacks it."""
    return MISTAKES[code].title if code in MISTAKES else code


def place(finding: Finding) -> str:
    """Where in the model a finding is."""
    return finding.module or "the model itself"


def probe(finding: Finding) -> str:
    """The probe that saw it, and what it is."""
    name = finding.evidence.probe
    return f"{name} ({PROBES[name]})" if name in PROBES else name


def looked_for(report: Report) -> str:
    """How many mistakes were looked for, and how long it took."""
    number = len(report.checks_run)
    noun = "mistake" if number == 1 else "mistakes"
    return f"Looked for {number} {noun} in {report.seconds:.1f} s."


def left_out(report: Report) -> str:
    """How many checks could not be run; empty where all could."""
    number = len(report.not_run)
    if not number:
        return ""
    return f"{number} check{'s' if number > 1 else ''} could not be run"


def reasons(report: Report) -> dict[str, str]:
    """Why checks could not be run: for each reason the codes, `"M01, M05 to M09"`."""
    codes: dict[str, list[str]] = {}
    for one in report.not_run:
        codes.setdefault(one.why, []).append(one.code)
    return {why: _ranges(of_why) for why, of_why in codes.items()}


def _ranges(codes: list[str]) -> str:
    """The codes, three or more that follow each other in the catalogue as the first and last."""
    order = list(MISTAKES)
    runs: list[list[str]] = []
    for code in codes:
        before = runs[-1][-1] if runs else ""
        follows = before in order and code in order[order.index(before) + 1 :][:1]
        if follows:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(f"{run[0]} to {run[-1]}" if run[2:] else ", ".join(run) for run in runs)


def by_severity(report: Report) -> tuple[Finding, ...]:
    """The findings, the gravest first, and those of one severity as they were found."""
    return tuple(sorted(report.findings, key=lambda one: SEVERITIES.index(one.severity)))
