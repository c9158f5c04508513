"""``unrolled info``: what is installed and who computes."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from unrolled import info
from unrolled.cli import main

Capture = pytest.CaptureFixture[str]


def test_it_prints_what_the_library_knows(capsys: Capture) -> None:
    assert main(["info"]) == 0
    assert capsys.readouterr().out == f"{info()}\n"


def test_json_is_the_same_facts(capsys: Capture) -> None:
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == info().to_json()


@pytest.mark.parametrize("variable", ["UNROLLED_ENGINE", "UNROLLED_ISA"])
def test_a_variable_that_names_what_is_not_there_is_one_sentence(variable: str) -> None:
    # In a process of its own, since both are read once.
    done = subprocess.run(
        [sys.executable, "-m", "unrolled.cli", "info"],
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
        'jaxtyping not installed: pip install "unrolled[torch]"',
    )
