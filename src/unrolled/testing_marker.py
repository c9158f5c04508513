"""The pytest marker `states_sound`: a plugin that a suite names in its `conftest.py`.

It imports neither PyTorch nor the doctor before a marked test runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

_MARKER = "states_sound"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known.

    Args:
        config: of the session.
    """
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(model, *inputs, **settings): the doctor looks at the model on these inputs "
        "before the test runs; a string names a fixture or parameter of the test.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Looks at the models that the marks of a test name.

    Args:
        item: the test.
    """
    __tracebackhide__ = True
    for mark in item.iter_markers(_MARKER):
        _look(mark, getattr(item, "funcargs", {}))


def _look(mark: pytest.Mark, taken: Mapping[str, Any]) -> None:
    __tracebackhide__ = True
    if not mark.args:
        pytest.fail(
            f"the marker {_MARKER} names no model; give the model, then the inputs of one call",
            pytrace=False,
        )
    model, *inputs = (_meant(value, taken) for value in mark.args)
    settings = dict(mark.kwargs)
    for name in {"lengths", "target"} & set(settings):
        settings[name] = _meant(settings[name], taken)
    if settings.get("keywords"):
        given = settings["keywords"].items()
        settings["keywords"] = {name: _meant(value, taken) for name, value in given}

    from .testing import assert_states_sound

    said = None
    try:
        assert_states_sound(model, *inputs, **settings)
    except AssertionError as report:
        said = str(report)
    if said is not None:
        pytest.fail(said, pytrace=False)


def _meant(value: Any, taken: Mapping[str, Any]) -> Any:
    """A fixture or parameter of the test by its name; anything else is itself."""
    if not isinstance(value, str):
        return value
    if value not in taken:
        known = ", ".join(sorted(set(taken) - {"request"})) or "nothing"
        pytest.fail(
            f"the marker {_MARKER} names {value!r}, and the test takes {known}; let the test take "
            "a fixture or parameter of that name",
            pytrace=False,
        )
    return taken[value]
