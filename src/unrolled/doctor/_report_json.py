"""What the doctor found, as JSON, and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from ._finding import SEVERITIES, Evidence, Finding, Number, UnrunCheck
from ._report import Report
from ._report_words import title

FORMAT = "unrolled.doctor"
VERSION = 1


def render_json(report: Report, indent: int | None = None) -> str:
    """The report as JSON text. `format` and `version` say what it is.

    JSON has no infinity and no NaN: such a number is written as text.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": report.model,
        "ok": report.ok,
        "findings": [_written(finding) for finding in report.findings],
        "not_run": [asdict(one) for one in report.not_run],
        "assumptions": report.assumptions,
        "checks_run": report.checks_run,
        "seconds": report.seconds,
    }
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)


def _written(finding: Finding) -> dict[str, Any]:
    written = asdict(finding)
    numbers = written["evidence"]["numbers"]
    written["evidence"]["numbers"] = {name: _finite(value) for name, value in numbers.items()}
    return {"code": finding.code, "title": title(finding.code), **written}


def _finite(value: Number) -> Number:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_json(text: str) -> Report:
    """The report in JSON text that `render_json` wrote.

    Raises:
        ValueError: it is no report, or one of a newer format.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        if document["version"] > VERSION:
            raise ValueError(
                f"it has version {document['version']}, and this program reads up to {VERSION}; "
                "update unrolled"
            )
        return Report(
            model=document["model"],
            findings=tuple(_finding(one) for one in document["findings"]),
            not_run=tuple(UnrunCheck(**one) for one in document["not_run"]),
            assumptions=tuple(document["assumptions"]),
            checks_run=tuple(document["checks_run"]),
            seconds=document["seconds"],
        )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as fault:
        raise ValueError(f"this is no report of the doctor that can be read: {fault}") from None


def _finding(document: dict[str, Any]) -> Finding:
    if document["severity"] not in SEVERITIES:
        raise ValueError(f"the severity {document['severity']!r} is not known")
    return Finding(
        code=document["code"],
        severity=document["severity"],
        module=document["module"],
        evidence=Evidence(**document["evidence"]),
        explanation=document["explanation"],
        repair=document["repair"],
    )
