"""``unrolled info``: what is installed and who computes."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from unrolled import info, kernels
from unrolled.cli import main

Capture = pytest.CaptureFixture[str]


def test_it_prints_what_the_library_knows(capsys: Capture) -> None:
    assert main(["info"]) == 0
    assert capsys.readouterr().out == f"{info()}\n"


def rows(text: str) -> dict[str, str]:
    """The lines of the table: what each is of, and what it says."""
    return dict(re.split("  +", line, maxsplit=1) for line in text.splitlines())


@pytest.mark.skipif(kernels.why_unavailable() is not None, reason="the page shows the kernels")
@pytest.mark.skipif("UNROLLED_ENGINE" in os.environ, reason="the page shows the default engine")
def test_the_documentation_shows_the_rows_and_the_engine_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    block = page.partition("unrolled info\n```\n\n```text\n")[2].partition("```")[0]
    shown, printed = rows(block), rows(str(info()))
    assert list(shown) == list(printed)
    sets = [found["instruction set"].partition(" ")[0] for found in (shown, printed)]
    assert shown["engine"].replace(*sets) == printed["engine"]


def test_json_is_the_same_facts(capsys: Capture) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == info().to_json()


@pytest.mark.parametrize("variable", ["UNROLLED_ENGINE", "UNROLLED_ISA"])
def test_a_variable_that_names_what_is_not_there_is_one_sentence(variable: str) -> None:
    # In a process of its own, since both are read once.
    done = subprocess.run(
        [sys.executable, "-m", "unrolled", "info"],
        env={**os.environ, variable: "abacus"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"unrolled info: {variable} is 'abacus'")
    assert done.stderr.count("\n") == 1


def test_torch_without_the_rest_of_what_layers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = metadata.version

    def version(part: str) -> str:
        if part == "jaxtyping":
            raise metadata.PackageNotFoundError(part)
        return installed(part)

    monkeypatch.setattr(metadata, "version", version)
    found = info()
    assert found.versions["torch"] is not None
    assert (found.engine, found.engine_reason) == (
        None,
        'jaxtyping not installed; install the extra "torch": pip install ".[torch]" in a clone of '
        "unrolled",
    )
