"""Each wrong model of the corpus is found by code and place; no right one is accused."""

from __future__ import annotations

import pytest

import unrolled
from models import CORRECT, PAIRS, Case
from unrolled.doctor import Report

RIGHT = [pair.right for pair in PAIRS] + CORRECT
WRONG = [pair.wrong for pair in PAIRS]


def diagnosed(case: Case) -> Report:
    return unrolled.diagnose(case.build(), *case.args(), keywords=case.keywords(), **case.hints())


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_wrong_model_is_found(case: Case) -> None:
    report = diagnosed(case)
    shown = [(f.code, f.module, f.severity) for f in report.findings]
    assert any(
        code == case.code and module == case.place and severity in case.severities
        for code, module, severity in shown
    ), shown
    assert {code for code, _, _ in shown} <= {case.code, *case.also}
    assert not [unrun for unrun in report.not_run if "it met" in unrun.why]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_right_model_is_not_accused(case: Case) -> None:
    report = diagnosed(case)
    assert report.ok, [(f.code, f.module, f.evidence.text) for f in report.findings]
    assert not [unrun for unrun in report.not_run if "it met" in unrun.why]
