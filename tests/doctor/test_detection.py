"""The doctor finds every wrong model of the corpus and leaves the others alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from detection_table import render
from judgement import judge
from known_faults import KNOWN_FAULTS

from models import CORRECT, PAIRS, Case

CASES = [case for pair in PAIRS for case in (pair.wrong, pair.right)] + CORRECT
PAGE = Path(__file__).parents[2] / "docs" / "doctor-detection.md"


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_doctor_is_right(case: Case) -> None:
    faults = judge(case).faults
    if case.name in KNOWN_FAULTS:
        assert faults, f"{case.name} comes out right now: take it off the known faults"
    else:
        assert not faults, "\n".join(faults)


def test_known_faults_are_of_the_corpus() -> None:
    assert set(KNOWN_FAULTS) <= {case.name for case in CASES}


def test_the_page_says_what_the_tests_above_find() -> None:
    assert PAGE.read_text("utf-8") == render(set(KNOWN_FAULTS))
