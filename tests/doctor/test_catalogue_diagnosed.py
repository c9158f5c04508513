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


def looked_at(text: str) -> Report:
    torch.manual_seed(0)
    names: Names = {"__name__": "snippet"}
    exec(compile(text, "snippet", "exec"), names)
    given = {"spectrogram": "x", "readings": "x", "chunk": "x"}
    parameters = inspect.signature(names["model"].forward).parameters
    inputs: list[Any] = [names[given.get(name, name)] for name in parameters]
    return diagnose(type(names["model"])(), *inputs)  # one that has not been called yet


@pytest.mark.parametrize("code", DIAGNOSED)
def test_the_wrong_code_is_told_by_its_code(code: str) -> None:
    report = looked_at(MISTAKES[code].wrong_code)
    found = {finding.code: finding.severity for finding in report.findings}
    assert found == {code: MISTAKES[code].severity}


@pytest.mark.parametrize("code", DIAGNOSED)
def test_the_right_code_is_clean(code: str) -> None:
    assert looked_at(MISTAKES[code].right_code).findings == ()
