"""The page on explaining runs as it is read, and prints what it says."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import unrolled.explanation

PAGE = Path(__file__).parents[2] / "docs" / "explain.md"
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?", re.M | re.S
)
MODULES = [module.name for module in pkgutil.iter_modules(unrolled.explanation.__path__)]


def test_page(capsys):
    names = {}
    text = PAGE.read_text(encoding="utf-8")
    snippets = list(SNIPPET.finditer(text))
    assert len(snippets) == text.count("```python")
    for snippet in snippets:
        line = text[: snippet.start("code")].count("\n")
        exec(compile("\n" * line + snippet["code"], PAGE, "exec"), names)
        assert capsys.readouterr().out == (snippet["printed"] or ""), f"line {line + 1}"


def test_pictures_of_the_page_are_there():
    pictures = re.findall(r"!\[[^]]+\]\(([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert pictures
    assert all((PAGE.parent / picture).is_file() for picture in pictures)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"unrolled.explanation.{name}")
    assert doctest.testmod(module).failed == 0
