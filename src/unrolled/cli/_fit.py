"""``unrolled fit``: train an encoder-decoder and save it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from ..errors import UsageError
from ..tasks import find_task
from ._column_options import header_of
from ._fit_options import fit_parser

_NOT_OF_FIT = ("config", "task", "data_dir", "overwrite")


def parse_fit(arguments: Sequence[str]) -> Namespace:
    """Parse the options of ``unrolled fit``, those of the task first.

    Raises:
        UsageError: For an option, value or task that does not exist, and where data or output
            are missing.
    """
    task = _task_of(arguments)
    parser = fit_parser()
    if task is not None:
        parser.set_defaults(dict(find_task(task).settings))
    options = parser.parse(arguments)
    if options.output is None:
        raise UsageError("where shall the model go? Give --output DIR, for example runs/mine")
    if options.task is None or options.train is not None or options.dev is not None:
        for part in ("train", "dev"):
            if options[part] is None:
                raise UsageError(
                    f"there is no {part} data; give --{part} FILE.tsv, or --task NAME for a task "
                    "that brings its own"
                )
    for side in ("source", "target"):
        if options[f"{side}_symbols"] == "bpe" and options[f"{side}_vocab_size"] is None:
            raise UsageError(
                f"--{side}_symbols bpe needs to know how many symbols to learn; give "
                f"--{side}_vocab_size N, for example 2000"
            )
    if options.resume and options.overwrite:
        raise UsageError("--resume and --overwrite were both given; choose one")
    return options


def run(arguments: Sequence[str]) -> int:
    """Train, and say where the model is and how good it was on the dev data."""
    options = parse_fit(arguments)
    output = Path(options.output)
    if options.resume:
        _check_resumable(output)
    elif _is_first_process() and not options.overwrite:
        _refuse_to_overwrite(output, arguments)
    train, dev = _data(options)

    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from ..seq2seq import TrainingInterruptedError, fit

    settings = {name: value for name, value in options.as_dict().items() if name not in _NOT_OF_FIT}
    settings |= {"train": train, "dev": dev, "header": header_of(options)}
    try:
        result = fit(**settings)
    except TrainingInterruptedError as interrupt:
        if not _is_first_process():
            return 0  # the first one says it, and Lightning ends it where another one fails
        way_on = f" Go on with: {_resuming(arguments)}" if interrupt.may_resume else ""
        raise KeyboardInterrupt(f"{interrupt.what}{way_on}") from None
    except MisconfigurationException as fault:
        raise UsageError(f"this machine cannot train that way: {fault}") from fault
    if not _is_first_process():
        return 0
    print(f"trained {result.epochs:.1f} epochs; the best model is in {result.output}")
    for name, value in result.scores.items():
        print(f"  {name}: {value:.2f}" if isinstance(value, float) else f"  {name}: {value}")
    print(f"try it: unrolled predict {shlex.quote(str(result.output))}")
    return 0


def _is_first_process() -> bool:
    """Whether this is the process the user started, not one that Lightning started beside it."""
    ranks = (os.environ.get(name, "0") for name in ("LOCAL_RANK", "NODE_RANK"))
    return all(rank == "0" for rank in ranks)


def _data(options: Namespace) -> tuple[str, str]:
    if options.train is not None:
        return options.train, options.dev
    folder = Path(options.data_dir or Path("data") / options.task)
    parts = find_task(options.task).write_parts(folder)
    return str(parts.train), str(parts.dev)


def _check_resumable(output: Path) -> None:
    if not (output / "checkpoints").exists():
        raise UsageError(
            f"{output} holds no training run, so there is nothing to resume; start without --resume"
        )


def _refuse_to_overwrite(output: Path, arguments: Sequence[str]) -> None:
    if (output / "checkpoints").exists():
        raise UsageError(
            f"{output} holds a training run already; go on with: {_resuming(arguments)}, or start "
            "again with --overwrite"
        )
    if (output / "config.json").exists():
        raise UsageError(
            f"{output} holds a model already; choose another --output, or --overwrite it"
        )


def _resuming(arguments: Sequence[str]) -> str:
    given = [argument for argument in arguments if argument not in ("--resume", "--overwrite")]
    return f"unrolled fit {shlex.join([*given, '--resume'])}"


def _task_of(arguments: Sequence[str]) -> str | None:
    """The task named on the command line or in a configuration file, faults left for later."""
    heard = [a for a in arguments if not a.startswith(("--print_config", "--help", "-h"))]
    try:
        task: str | None = fit_parser().parse(heard).task
    except UsageError:
        return None
    return task
