"""Every command line that the documentation shows is one that the parsers accept."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from unrolled.cli._doctor import doctor_parser
from unrolled.cli._evaluate import evaluate_parser
from unrolled.cli._explain import explain_parser
from unrolled.cli._fit import parse_fit
from unrolled.cli._info import info_parser
from unrolled.cli._predict import predict_parser

ROOT = Path(__file__).parents[2]
PARSE: dict[str, Callable[[list[str]], object]] = {
    "fit": parse_fit,
    "evaluate": evaluate_parser().parse,
    "predict": predict_parser().parse,
    "explain": explain_parser().parse,
    "doctor": doctor_parser().parse,
    "info": info_parser().parse,
}


def _shown() -> list[tuple[str, str]]:
    """Page and command line of all that stands in blocks, pipes, redirections and remarks cut off.

    Blocks marked as text are outputs.
    """
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        inside = None
        for line in page.read_text("utf-8").replace("\\\n", " ").splitlines():
            if line.startswith("```"):
                inside = None if inside is not None else line.removeprefix("```")
            elif inside in ("", "bash", "sh", "console"):
                parts = re.split(r"[|>]| # ", line.removeprefix("$ "))
                commands = (part.strip() for part in parts)
                found += [(page.name, c) for c in commands if c.startswith("unrolled ")]
    return found


def test_there_are_some() -> None:
    assert {line.split()[1] for _, line in _shown()} >= set(PARSE)


@pytest.mark.parametrize(("page", "line"), _shown())
def test_a_command_that_is_shown_is_accepted(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gru.yaml").write_text("task: g2p\ncell: gru\n")
    Path("recipes").symlink_to(ROOT / "recipes")
    _, command, *arguments = shlex.split(line)
    if command in ("--help", "--version") or "--help" in arguments:
        return
    PARSE[command]([argument for argument in arguments if argument != "--print_config"])
