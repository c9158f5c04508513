"""The parser of a command's options: jsonargparse, with errors and help for people."""

from __future__ import annotations

import re
from argparse import SUPPRESS, Action
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from ..errors import UsageError
from ._nearest import nearest

_EXAMPLES = "examples:\n"


class _Formatter(DefaultHelpFormatter):
    """Says defaults that tell something, and wraps all but examples to the terminal's width."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(_EXAMPLES):
            return text
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            super(_Formatter, self)._fill_text(paragraph, width, indent) for paragraph in paragraphs
        )

    def _get_help_string(self, action: Action) -> str:
        words = action.help or ""
        silent = action.default is None or action.default is False or action.default == SUPPRESS
        if silent or not action.option_strings:
            return words
        return f"{words} (default: {_as_typed(action.default)})".replace("%", "%%")


def _as_typed(default: object) -> str:
    if default is True:
        return "true"
    return "a space" if default == " " else str(default)


class CommandParser(ArgumentParser):
    """Parses the options of one command; what it cannot accept is a ``UsageError``."""

    def __init__(self, name: str, usage: str, description: str, examples: str) -> None:
        super().__init__(
            prog=f"unrolled {name}",
            usage=f"unrolled {name} {usage}",
            description=description,
            epilog=_EXAMPLES + examples,
            formatter_class=_Formatter,
            allow_abbrev=False,
            exit_on_error=False,
        )
        self._configuration = "the configuration file"

    def add_config_options(self) -> None:
        """Add ``--config`` and ``--print_config``."""
        self.add_argument(
            "--config",
            action="config",
            metavar="FILE",
            help="YAML file with any of these options by name. An option given after --config wins "
            "over the file; the file wins over one given before it",
        )
        for action in self._actions:
            if "--print_config" in action.option_strings:
                action.metavar = ""
                action.help = "print all options as YAML, as they stand, and exit"

    def parse(self, arguments: Sequence[str]) -> Namespace:
        """Parse, or raise ``UsageError`` with the nearest name where one is unknown."""
        for option, following in pairwise([*arguments, ""]):
            name, _, value = option.partition("=")
            if name == "--config":
                self._configuration = f"the configuration file {value or following}"
        try:
            return self.parse_args(list(arguments))
        except UnicodeDecodeError as failure:
            self.error(f"{self._configuration} is not valid UTF-8: {failure}")

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Turn jsonargparse's message into a sentence."""
        raise UsageError(f"{self._sentence(message)}; see {self.prog} --help") from ex

    def _sentence(self, message: str) -> str:
        options = [name for action in self._actions for name in action.option_strings]
        if found := re.match(r"unrecognized arguments: (.*)", message):
            given = next((w for w in found[1].split() if w.startswith("-")), found[1])
            given = given.partition("=")[0]
            takes_many = any(action.nargs in ("*", "+") for action in self._actions)
            if takes_many and not given.startswith("-"):
                return f"{given!r} stands after an option; put all that is no option before them"
            what = "option" if given.startswith("-") else "argument"
            return f"there is no {what} {given!r}{nearest(given, options)}"
        if found := re.match(r"Option '(.*)' is not accepted", message):
            keys = [option.removeprefix("--") for option in options]
            return f"the configuration has an unknown key {found[1]!r}{nearest(found[1], keys)}"
        if found := re.match(r"Problems parsing config: *(.*)", message, flags=re.DOTALL):
            where = re.sub(r'"<unicode string>", ', "", " ".join(found[1].split()))
            return f"{self._configuration} is not YAML: {where}"
        if message.startswith("Unexpected config: "):
            return f"{self._configuration} has no keys; give lines such as max_epochs: 5"
        if found := re.match(r"the following arguments are required: (.*)", message):
            absent = found[1].split(", ")
            wanted = [a.metavar for a in self._actions if a.dest in absent and a.nargs != "*"]
            return f"{' and '.join(map(str, wanted))} {'are' if wanted[1:] else 'is'} missing"
        message = re.sub(r"^(argument |Parser key )", "", message)
        message = re.sub(r'^"(\w+)":', r"--\1:", message)
        return " ".join(message.split())
