"""The options that describe a recurrent stack which has not run, and what is taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ..errors import UsageError
from ._parser import CommandParser
from ._values import one_of, text, whole, wholes

if TYPE_CHECKING:
    from ..explanation import Report

_CELLS = ("rnn_tanh", "rnn_relu", "gru", "lstm")
_FRAMEWORKS = ("torch", "keras", "onnx", "flax")


def add_stack_options(parser: CommandParser) -> None:
    """Add the group "a stack"."""
    group = parser.add_argument_group(
        "a stack", "In place of MODEL and TEXT: a recurrent stack that need not exist."
    )
    group.add_argument("--cell", type=one_of(_CELLS), metavar="CELL", help=", ".join(_CELLS))
    group.add_argument("--layers", type=whole(1), metavar="N", default=1, help="layers")
    group.add_argument("--bidirectional", action="store_true", help="run both ways")
    group.add_argument(
        "--steps", type=whole(1), metavar="N", help="steps, padding included; else the longest"
    )
    group.add_argument(
        "--lengths",
        type=wholes(1),
        metavar="N,N",
        help="real steps of each sample; else all are real",
    )
    group.add_argument(
        "--batch", type=whole(1), metavar="N", help="samples; else those of --lengths, or 2"
    )
    group.add_argument(
        "--hidden_size", type=whole(1), metavar="N", default=128, help="units of a state"
    )
    group.add_argument(
        "--proj_size", type=whole(0), metavar="N", default=0, help="an LSTM's projection of h"
    )
    group.add_argument(
        "--batch_first", action="store_true", help="output is (batch, step, ...); ONNX's layout=1"
    )
    group.add_argument(
        "--time_first",
        action="store_true",
        help="output is (step, batch, ...); with neither, PyTorch's default, unless --select "
        "then takes a sample in place of a step, which is said",
    )
    group.add_argument(
        "--select",
        type=text,
        metavar="EXPRESSION",
        help='what to take, such as "output[:, -1]": indexing, and what PyTorch calls view, '
        "permute, cat, gather, mean, max and the like",
    )
    group.add_argument(
        "--framework",
        type=one_of(_FRAMEWORKS),
        metavar="NAME",
        default="torch",
        help="whose tensors, names and axes: " + ", ".join(_FRAMEWORKS),
    )


_DEFAULTS = {
    "cell": None,
    "layers": 1,
    "bidirectional": False,
    "steps": None,
    "lengths": None,
    "batch": None,
    "hidden_size": 128,
    "proj_size": 0,
    "batch_first": False,
    "time_first": False,
    "select": None,
    "framework": "torch",
}


def given_stack_options(options: Namespace) -> list[str]:
    """The options of the group that were given, as they are typed."""
    return [f"--{name}" for name, default in _DEFAULTS.items() if options[name] != default]


def stack_report(options: Namespace) -> Report:
    """What the stack's tensors hold, or what is selected from them.

    Raises:
        UsageError: sizes that do not fit each other, or a selection that can't be read.
    """
    if options.cell is None:
        raise UsageError(f"--cell is missing; give one of {', '.join(_CELLS)}")
    if options.steps is None and options.lengths is None:
        raise UsageError("--steps is missing; give how many steps the input has")
    if options.batch_first and options.time_first:
        raise UsageError("--batch_first and --time_first contradict each other; give one of them")
    if options.time_first and options.framework in ("keras", "flax"):
        raise UsageError(
            f"--time_first is not for --framework {options.framework}, which always has the batch "
            "first; leave it out"
        )
    from ..explanation import explain_selection
    from ..grid import StackShape

    try:
        return explain_selection(
            StackShape(
                options.cell,
                1,
                options.hidden_size,
                options.layers,
                options.bidirectional,
                proj_size=options.proj_size,
            ),
            max(options.lengths) if options.steps is None else options.steps,
            options.select,
            lengths=options.lengths,
            batch=options.batch,
            framework=options.framework,
            batch_first=True if options.batch_first else False if options.time_first else None,
            field=options.field,
        )
    except ValueError as fault:
        raise UsageError(str(fault)) from None
