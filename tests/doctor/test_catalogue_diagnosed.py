"""The doctor on the catalogue: wrong code is told by its own code, right code is clean."""

import inspect
from typing import Any

import pytest
import torch
from catalogue_claims import Names

from unrolled.doctor import MISTAKES, Report, diagnose

# M11 takes a list of samples and pads it itself, so nobody outside can pad it; M25 is one layer,
# which is wrong only beside what the other framework gave.
LEFT_OUT = {"M11", "M25"}
DIAGNOSED = [code for code in MISTAKES if code not in LEFT_OUT]


def looked_at(text: str, *, has_run: bool = False, to_come: bool = False) -> Report:
    """The doctor's report of a snippet, whose own call of its model may come first."""
    torch.manual_seed(0)
    names: Names = {"__name__": "snippet"}
    exec(compile(text, "snippet", "exec"), names)
    given = {"spectrogram": "x", "readings": "x", "chunk": "x"}
    parameters = inspect.signature(names["model"].forward).parameters
    inputs: list[Any] = [names[given.get(name, name)] for name in parameters]
    model = names["model"] if has_run else type(names["model"])()
    # The same symbols go in and come out in a model that fills gaps too.
    target = names["ids"].roll(-1, 1) if to_come else None
    return diagnose(model, *inputs, target=target)


@pytest.mark.parametrize("code", DIAGNOSED)
def test_the_wrong_code_is_told_by_its_code(code: str) -> None:
    report = looked_at(MISTAKES[code].wrong_code, to_come=code == "M18")
    found = {finding.code: finding.severity for finding in report.findings}
    assert found == {code: MISTAKES[code].severity}


@pytest.mark.parametrize("code", DIAGNOSED)
def test_the_right_code_is_clean(code: str) -> None:
    assert looked_at(MISTAKES[code].right_code, to_come=code == "M18").findings == ()


def test_without_a_target_the_same_symbols_in_and_out_are_a_note() -> None:
    report = looked_at(MISTAKES["M18"].wrong_code)
    assert [(finding.code, finding.severity) for finding in report.findings] == [("M18", "note")]
    assert "give target" in report.findings[0].explanation
    assert report.ok


@pytest.mark.parametrize("code", ["M19", "M20", "M21"])
def test_a_model_that_has_run_is_told_as_one_that_has_not(code: str) -> None:
    wrong = looked_at(MISTAKES[code].wrong_code, has_run=True)
    assert [finding.code for finding in wrong.findings] == [code]
    assert not [line for line in wrong.assumptions if "could not be copied" in line]
    assert looked_at(MISTAKES[code].right_code, has_run=True).findings == ()
