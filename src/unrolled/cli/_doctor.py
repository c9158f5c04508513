"""``unrolled doctor``: finds in any PyTorch recurrent model the states that are misread."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ..errors import ModelError, UsageError
from ._input_spec import InputSpec, example_inputs, read_input
from ._parser import CommandParser
from ._values import real, text, whole, wholes
from ._whole_file import check_place, is_device, write_whole

if TYPE_CHECKING:
    from ..doctor import Report

FOUND_EXIT = 1
_FILES = ("json", "html", "junit")


def doctor_parser() -> CommandParser:
    """The options of ``unrolled doctor``."""
    parser = CommandParser(
        "doctor",
        usage="MODEL [--input EXAMPLE ...] [options]\n"
        "       unrolled doctor --explain CODE\n"
        "       unrolled doctor --list",
        description="Look for thirty known mistakes in a PyTorch model with recurrent layers, "
        "anybody's: the wrong state taken, samples mixed, padding read, a state lost or kept. The "
        "model is run on an example, and nothing about it has to be known.\n\n"
        "MODEL is a name in your own code, and that code is RUN: my_model.py:build or "
        "package.module:Classifier, where the name is a module, a class of one, or a function "
        "that returns a module or (module, example inputs). It is called without arguments.\n\n"
        "Exit code: 0 where nothing worse than a note was found, 1 where something was, 2 where "
        "the model could not be looked at.",
        examples='  unrolled doctor my_model.py:build --input "float[4,7,16]"\n'
        '  unrolled doctor my_model.py:Tagger --input "ids[4,7]<100" \\\n'
        '    --input "lengths[7,5,3,2]"\n'
        "  unrolled doctor my_model.py:build --input batch.npz --html doctor.html\n"
        "  unrolled doctor --explain M03",
    )
    parser.add_argument(
        "model", type=text, metavar="MODEL", nargs="?", help="a name in your code, which is run"
    )
    parser.add_config_options()
    catalogue = parser.add_argument_group("the mistakes", "In place of MODEL.")
    catalogue.add_argument(
        "--explain", type=text, metavar="CODE", help="wrong code, what it reads, and right code"
    )
    catalogue.add_argument("--list", action="store_true", help="all of them, a line each")
    example = parser.add_argument_group(
        "the example",
        "What the model is called with. Three samples or more, of four steps or more, and of "
        "different lengths where the model takes lengths, show most.",
    )
    example.add_argument(
        "--input",
        type=text,
        metavar="EXAMPLE",
        action="append",
        help="once for each argument, with NAME= in front for one by name: float[4,7,16] (also "
        "float64), ids[4,7]<100, lengths[7,5,3,2], mask (from the lengths), or FILE or FILE[KEY], "
        "a .pt, .npy, .npz or .safetensors of plain tensors; nothing in a file is run",
    )
    example.add_argument(
        "--lengths", type=wholes(1), metavar="N,N", help="real steps of each sample"
    )
    example.add_argument(
        "--batch_dim", type=whole(0), metavar="N", help="the dimension of samples; else it is found"
    )
    example.add_argument(
        "--time_dim", type=whole(0), metavar="N", help="the dimension of steps; else it is found"
    )
    example.add_argument(
        "--target",
        type=text,
        metavar="EXAMPLE",
        help="what the model should give, in the same forms: of a predictor the symbols that come "
        "next, of converted weights the other framework's result",
    )
    parser.add_argument(
        "--seconds",
        type=real(above=0),
        metavar="N",
        default=60.0,
        help="when so many are over, checks not begun are left out, and said to be",
    )
    parser.add_argument(
        "--checks", type=text, metavar="CODE,CODE", help="look for these alone, such as M01,M03"
    )
    output = parser.add_argument_group(
        "output", "Text is printed in any case. A folder that is missing is made."
    )
    output.add_argument(
        "--json",
        type=text,
        metavar="FILE",
        help="write it for programs, or - to print it; the text then goes to standard error",
    )
    output.add_argument(
        "--html", type=text, metavar="FILE", help="write one page that needs nothing but itself"
    )
    output.add_argument("--junit", type=text, metavar="FILE", help="write it as JUnit's XML")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Look at the model, print what was found, and say by the exit code whether it is clean."""
    options = doctor_parser().parse(arguments)
    if options.explain or options.list or options.model is None:
        _tell(options)
        return 0
    specs = [read_input(given) for given in options.input or ()]
    codes = _codes(options.checks)
    _check_places(options, specs)
    report = _report(options, specs, codes)
    written = {"json": lambda: report.to_json(indent=2) + "\n"}
    written |= {"html": report.to_html, "junit": report.to_junit}
    for ending in _FILES:
        if options[ending] and not _is_printed(options, ending):
            write_whole(Path(options[ending]), written[ending]())
            print(f"wrote {options[ending]}", file=sys.stderr)
    if _is_printed(options, "json"):
        sys.stderr.write(report.text())
        sys.stdout.write(written["json"]())
    else:
        sys.stdout.write(report.text())
    return 0 if report.ok else FOUND_EXIT


def _is_printed(options: Namespace, ending: str) -> bool:
    """Whether a report goes to standard output, which is for JSON alone."""
    return ending == "json" and options.json == "-"


def _check_places(options: Namespace, specs: Sequence[InputSpec]) -> None:
    """Refuse to write a report where none can be, or in place of what is read or another report.

    Raises:
        UsageError: a file cannot be written there.
    """
    taken = {Path(options.model.rpartition(":")[0]).resolve(): "holds the model"}
    taken |= {Path(spec.path).resolve(): "is an input" for spec in specs if spec.kind == "file"}
    for ending in _FILES:
        if not options[ending] or _is_printed(options, ending):
            continue
        path = Path(options[ending])
        what = taken.get(path.resolve())
        if what is not None and not is_device(path):
            raise UsageError(f"--{ending} would replace {path}, which {what}; give another file")
        taken[path.resolve()] = f"--{ending} writes"
        check_place(path)


def _tell(options: Namespace) -> None:
    """One mistake, or all of them; none of it needs PyTorch."""
    if options.model is not None:
        given = "--explain" if options.explain else "--list"
        raise UsageError(f"{given} is in place of MODEL; leave out one of the two")
    if options.input:
        raise UsageError("MODEL is missing; see unrolled doctor --help")
    from ..doctor import MISTAKES, mistake
    from ..doctor._mistake_text import mistakes_text

    if options.explain:
        sys.stdout.write(mistake(options.explain).text())
        return
    sys.stdout.write(mistakes_text(MISTAKES.values()))
    print("\nOne of them in full: unrolled doctor --explain M03", file=sys.stderr)


def _codes(given: str | None) -> tuple[str, ...] | None:
    """The codes of `--checks`, each as the catalogue writes it."""
    if given is None:
        return None
    from ..doctor import mistake

    return tuple(dict.fromkeys(mistake(code).code for code in given.split(",")))


def _report(
    options: Namespace, specs: Sequence[InputSpec], codes: tuple[str, ...] | None
) -> Report:
    """What the doctor finds in the user's model.

    Raises:
        ModelError: the model could not be run, or its code fails.
        UsageError: there is no such model, or nothing to call it with.
    """
    from ._user_model import load_model

    by_place, by_name = example_inputs(specs, options.lengths)
    target = replace(read_input(options.target), name="") if options.target else None
    wanted = example_inputs([target], options.lengths)[0][0] if target else None
    module, examples = load_model(options.model)
    if not specs:
        by_place = examples
    from ..doctor import diagnose

    report = diagnose(
        module,
        *by_place,
        keywords=by_name,
        lengths=None if options.lengths is None else list(options.lengths),
        batch_dim=options.batch_dim,
        time_dim=options.time_dim,
        target=wanted,
        checks=codes,
        seconds_in_all=options.seconds,
    )
    if not report.has_looked and not report.findings:
        why = report.not_run[0].why.removesuffix(".")
        raise ModelError(f"{options.model} could not be looked at: {why}{_parts(specs, by_place)}")
    return report


def _parts(specs: Sequence[InputSpec], by_place: Sequence[object]) -> str:
    """What else to try where a file of several tensors was given whole."""
    for spec, value in zip(specs, by_place, strict=False):
        if spec.kind == "file" and isinstance(value, dict) and value:
            names = list(map(str, value))
            return (
                f"; {spec.path} holds {', '.join(names)}, and a dict of them was given: for one "
                f"alone give {spec.path}[{names[0]}]"
            )
    return ""
