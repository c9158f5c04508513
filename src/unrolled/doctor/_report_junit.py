"""What the doctor found, as JUnit's XML, which continuous integration shows beside other tests."""

from __future__ import annotations

from ..explanation._markup import Markup, element, escaped, joined
from ..explanation._symbol import shown_text
from ._finding import Finding
from ._report import Report
from ._report_text import code_lines
from ._report_words import place, probe, reasons, title, unlooked


def render_junit(report: Report) -> str:
    """A suite with a case for each check.

    A case fails where something worse than a note was found, is skipped where the check could not
    be run, and passes with its notes as output otherwise. A model that could not be looked at is
    an error, so that no build passes on it.
    """
    found: dict[str, list[Finding]] = {code: [] for code in report.checks_run}
    for finding in report.findings:
        found.setdefault(finding.code, []).append(finding)
    cases = [_case(report.model, code, findings) for code, findings in sorted(found.items())]
    cases += [_skipped(report.model, one.code, one.why) for one in report.not_run]
    unseen = [_unseen(report)] if unlooked(report) else []
    cases += unseen
    failures = sum(any(one.severity != "note" for one in findings) for findings in found.values())
    numbers = {
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": str(len(unseen)),
        "skipped": str(len(report.not_run)),
        "time": f"{report.seconds:.3f}",
    }
    properties = [
        element("property", {"name": f"assumption {place}", "value": shown_text(text)})
        for place, text in enumerate(report.assumptions, start=1)
    ]
    suite = element(
        "testsuite",
        {"name": f"unrolled doctor {shown_text(report.model)}", **numbers},
        Markup("\n"),
        joined([*([element("properties", {}, *properties)] if properties else []), *cases]),
        Markup("\n"),
    )
    root = element(
        "testsuites", {"name": "unrolled doctor", **numbers}, Markup("\n"), suite, Markup("\n")
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'


def _case(model: str, code: str, findings: list[Finding]) -> Markup:
    wrong = [one for one in findings if one.severity != "note"]
    notes = [one for one in findings if one.severity == "note"]
    children = []
    if wrong:
        severities = [one.severity for one in wrong]
        kind = "error" if "error" in severities else "warning"
        message = "; ".join(f"{place(one)}: {one.evidence.text}" for one in wrong)
        text = escaped("\n\n".join(map(_told, wrong)))
        children.append(element("failure", {"message": shown_text(message), "type": kind}, text))
    if notes:
        children.append(element("system-out", {}, escaped("\n\n".join(map(_told, notes)))))
    return element("testcase", _attributes(model, code), *children)


def _skipped(model: str, code: str, why: str) -> Markup:
    return element(
        "testcase", _attributes(model, code), element("skipped", {"message": shown_text(why)})
    )


def _unseen(report: Report) -> Markup:
    why = "; ".join(reasons(report))
    attributes = {
        "classname": f"unrolled.doctor.{shown_text(report.model)}",
        "name": "looked at",
        "time": "0",
    }
    return element(
        "testcase", attributes, element("error", {"message": shown_text(why), "type": "unseen"})
    )


def _attributes(model: str, code: str) -> dict[str, str]:
    return {
        "classname": f"unrolled.doctor.{shown_text(model)}",
        "name": f"{code}: {title(code)}",
        "time": "0",
    }


def _told(finding: Finding) -> str:
    return "\n".join(
        [
            f"{finding.severity} in {shown_text(place(finding))}",
            shown_text(finding.explanation),
            shown_text(f"Seen by {probe(finding)}: {finding.evidence.text}"),
            "Repair:",
            *code_lines(finding.repair),
        ]
    )
