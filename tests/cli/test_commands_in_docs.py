"""Every command line that the documentation shows is one that the parsers accept."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

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
    "info": info_parser().parse,
}


def _shown() -> list[tuple[str, str]]:
    """Page and command line of all that is shown in blocks, pipes and redirections cut off."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for block in re.findall(
            r"^```(?:bash|sh|console)\n(.*?)^```", page.read_text(), re.M | re.S
        ):
            lines = block.replace("\\\n", " ").splitlines()
            found += [
                (page.name, part.strip())
                for line in lines
                for part in re.split(r"[|>]", line.removeprefix("$ "))
                if part.strip().startswith("unrolled ")
            ]
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
