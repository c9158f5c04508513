"""The marker `states_sound` in a suite of its own, as a user's pytest sees it."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True, bidirectional=True)
        self.last = last

    def forward(self, x):
        output, h_n = self.gru(x)
        return output[:, -1] if self.last else torch.cat([h_n[-2], h_n[-1]], 1)


@pytest.fixture(params=[False, True], ids=["right", "wrong"])
def model(request):
    return Reader(request.param)


@pytest.fixture
def x():
    return torch.randn(3, 5, 3)


@pytest.mark.states_sound("model", "x")
def test_marked(model, x):
    pass


@pytest.mark.states_sound("model", "x", checks=["M07"])
def test_of_other_mistakes(model, x):
    pass


@pytest.mark.states_sound(Reader(False), torch.randn(3, 5, 3))
def test_of_values():
    pass


@pytest.mark.states_sound("model", "lengths")
def test_of_a_name_that_is_not_taken(model, x):
    pass


@pytest.mark.states_sound
def test_of_no_model():
    pass


def test_not_marked(model, x):
    pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests whose pytest has this one plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest('pytest_plugins = ["unrolled.testing_marker"]')
    pytester.makeini("[pytest]\naddopts = --strict-markers")
    return pytester


def test_marked_tests_fail_where_states_are_misread(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    done = suite.runpytest_inprocess("-rA", "-q")
    done.assert_outcomes(passed=6, failed=4)
    done.stdout.fnmatch_lines(["PASSED *::test_marked[[]right]", "FAILED *::test_marked[[]wrong]*"])
    text = done.stdout.str()
    assert "M01" in text
    assert "the marker states_sound names 'lengths', and the test takes model, x;" in text
    assert "the marker states_sound names no model;" in text
    assert "testing_marker.py" not in text


def test_a_failed_assertion_shows_the_test_and_the_report_alone(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        SUITE.partition("@pytest.fixture")[0]
        + "from unrolled.testing import assert_states_sound\n\n\n"
        "def test_sound():\n    assert_states_sound(Reader(True), torch.randn(3, 5, 3))\n"
    )
    done = suite.runpytest_subprocess("-q")
    done.assert_outcomes(failed=1)
    text = done.stdout.str()
    assert "assert_states_sound(Reader(True), torch.randn(3, 5, 3))" in text
    assert "M01" in text
    assert "testing.py" not in text
    assert "def assert_states_sound" not in text


def test_a_refusal_shows_no_line_of_the_plugin(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE.replace('checks=["M07"]', 'checks=["M99"]'))
    done = suite.runpytest_subprocess("-q", "-k", "of_other_mistakes")
    text = done.stdout.str()
    assert "no check has the code 'M99'" in text
    assert "def _look" not in text
    assert "testing_marker.py" not in text
    assert "unrolled/testing.py" not in text


def test_the_page_shows_a_suite_that_passes(suite: pytest.Pytester) -> None:
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    (shown,) = re.findall(r"^```py\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    suite.makepyfile(shown)
    suite.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_nothing_heavy_comes_with_the_plugin(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        "import sys\n\n\ndef test_no_torch():\n    assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    suite.runpytest_subprocess("-q").assert_outcomes(passed=1)
