"""The page on the grid runs as it is read: every snippet, and prints what the page says."""

import doctest
import importlib
import pkgutil
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled.grid

PAGE = Path(__file__).parents[2] / "docs" / "grid.md"
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?", re.M | re.S
)
MODULES = [
    importlib.import_module(f"unrolled.grid.{module.name}")
    for module in pkgutil.iter_modules(unrolled.grid.__path__)
]


def test_page() -> None:
    names: dict[str, Any] = {}
    text = PAGE.read_text(encoding="utf-8")
    snippets = list(SNIPPET.finditer(text))
    assert len(snippets) == text.count("```python")
    for snippet in snippets:
        line = text[: snippet.start("code")].count("\n")
        out = StringIO()
        with redirect_stdout(out):
            exec(compile("\n" * line + snippet["code"], PAGE, "exec"), names)
        assert out.getvalue() == (snippet["printed"] or ""), f"{PAGE.name}, line {line + 1}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: Any) -> None:
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_public_classes_have_an_example() -> None:
    for name in ("StateAddress", "StackShape", "Layout", "StateGrid"):
        assert ">>> " in (getattr(unrolled.grid, name).__doc__ or "")
