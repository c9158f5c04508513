"""The commands of ``unrolled``, and what the top-level help says of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, its line in the help, the module of its ``run``, the extra it needs."""

    name: str
    summary: str
    module: str
    extra: str = "torch"

    def run(self, arguments: Sequence[str]) -> int:
        """Import the command's module, run it on the arguments, and give its exit code."""
        run = import_module(self.module, __package__).run
        return cast("Callable[[Sequence[str]], int]", run)(arguments)


SECTIONS: dict[str, tuple[Command, ...]] = {
    "Train a model that maps strings to strings, use it, and look inside": (
        Command(
            "fit", "train an encoder-decoder from a TSV file or a ready task", "._fit", "train"
        ),
        Command(
            "evaluate",
            "score a model on a TSV, decoding freely: PER and WER",
            "._evaluate",
            "train",
        ),
        Command("predict", "decode words, a file, a pipe, or what you type", "._predict"),
        Command(
            "explain",
            "which states a tensor holds; the run of a model on a text",
            "._explain",
        ),
    ),
    "Find what is wrong in a PyTorch model of your own": (
        Command("doctor", "find misread states in any model with recurrent layers", "._doctor"),
    ),
    "About this installation": (
        Command("info", "versions and engines, and why each engine is chosen", "._info"),
    ),
}

COMMANDS: dict[str, Command] = {
    command.name: command for commands in SECTIONS.values() for command in commands
}


def top_level_help() -> str:
    """What ``unrolled --help`` prints."""
    lines = ["unrolled: recurrent networks with every state in view", ""]
    lines += ["Usage: unrolled COMMAND [options]", ""]
    for title, commands in SECTIONS.items():
        lines += [f"{title}:", *(f"  {c.name:<10} {c.summary}" for c in commands), ""]
    lines += [
        "Options:",
        "  -h, --help  show this help; unrolled COMMAND --help explains a command",
        "  --version   show the version",
        "",
        "Start here:",
        "  unrolled fit --task g2p --output runs/g2p",
        "  unrolled predict runs/g2p zendaya",
    ]
    return "\n".join(lines) + "\n"
