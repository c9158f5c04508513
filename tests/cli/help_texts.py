"""The help of each command as it is printed on a terminal of 80 columns."""

import contextlib
import io
import os
from unittest import mock

from unrolled.cli import main
from unrolled.cli._commands import COMMANDS

NAMES = ("unrolled", *COMMANDS)


def help_text(name: str) -> str:
    """What ``unrolled --help``, or the help of a command, prints."""
    printed = io.StringIO()
    arguments = ["--help"] if name == "unrolled" else [name, "--help"]
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main(arguments)
    return printed.getvalue()
