"""``unrolled``: find the command, run it, and turn what goes wrong into a sentence."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from ..errors import UsageError
from ._commands import COMMANDS, top_level_help
from ._failure import explain_failure
from ._nearest import nearest

USAGE_EXIT = 2
INTERRUPT_EXIT = 128 + signal.SIGINT
CLOSED_PIPE_EXIT = 141  # 128 + SIGPIPE, which Windows does not define


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``unrolled`` on the arguments (those of the process if None) and give the exit code.

    0: done. 1: the doctor found something. 2: the user can mend it, and one sentence on standard
    error says how. 130: interrupted. 141: the reader of standard output went away. Any other
    exception is a defect and keeps its traceback.
    """
    # PyTorch's threads, which are the kernels' too, spin while they wait: 300,000 times unless told
    # otherwise, which makes training ten times slower where anything else wants a core. So few
    # outlast the pauses between operators, about 0.1 ms, and train a third faster than sleep does.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = COMMANDS.get(given[0]) if given else None
    name = "unrolled" if command is None else f"unrolled {command.name}"
    try:
        code = _run(given)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is still buffered would raise again when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE_EXIT
    except KeyboardInterrupt as interrupt:
        print(f"{name}: {str(interrupt) or 'interrupted'}", file=sys.stderr)
        return INTERRUPT_EXIT
    except Exception as failure:
        sentence = explain_failure(failure, "torch" if command is None else command.extra)
        if sentence is None:
            raise
        print(f"{name}: {sentence}", file=sys.stderr)
        return USAGE_EXIT


def _run(arguments: list[str]) -> int:
    if not arguments:
        sys.stderr.write(top_level_help())
        return USAGE_EXIT
    first, *rest = arguments
    if first in ("-h", "--help") or arguments == ["help"]:
        sys.stdout.write(top_level_help())
        return 0
    if first == "--version":
        from importlib.metadata import version

        print(f"unrolled {version('unrolled')}")
        return 0
    if first == "help":
        first, rest = rest[0], ["--help"]
    if first in COMMANDS:
        return COMMANDS[first].run(rest)
    known = [*COMMANDS, "--help", "--version"]
    what = "option" if first.startswith("-") else "command"
    raise UsageError(
        f"there is no {what} {first!r}{nearest(first, known)}; "
        f"the commands are: {', '.join(COMMANDS)}"
    )
