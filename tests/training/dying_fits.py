"""Runs that die or are stopped at a chosen call; a script, so that a kill takes no test with it.

It gets JSON on standard input, `{"pairs": ..., "fits": [{"output", "at", "call", "signal"}]}`, and
prints how each fit ended, `{"signal": number or 0, "said": the error it raised}`. Every fit has a
process of its own, forked from this one, which saves importing PyTorch for each.
"""

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from unrolled.errors import TrainingError
from unrolled.seq2seq import FitResult, Symbols, _training_run, fit
from unrolled.seq2seq._lightning_module import TrainingModule

SETTINGS: dict[str, Any] = {
    "target_symbols": "separator",
    "embedding_size": 8,
    "encoder_hidden_size": 12,
    "decoder_hidden_size": 12,
    "dropout": 0.3,
    "learning_rate": 0.02,
    "warmup_steps": 5,
    "tokens_per_batch": 160,
    "max_epochs": 3,
    "checkpoint_steps": 4,
    "accelerator": "cpu",
    "devices": 1,
}


def three_epochs(pairs: Path, output: Path, **changes: Any) -> FitResult:
    """Train a tiny model on train.tsv and dev.tsv of a folder."""
    files = {"train": pairs / "train.tsv", "dev": pairs / "dev.tsv", "output": output}
    return fit(**(files | SETTINGS | changes))


def _half_written(content: Any, file: io.BufferedWriter) -> None:
    buffer = io.BytesIO()
    _SAVE(content, buffer)
    file.write(buffer.getvalue()[: buffer.tell() // 2])
    file.flush()


_SAVE = torch.save
# Where a run can be hit: whose function, and what is still done of the fatal call.
_PLACES: dict[str, tuple[Any, str, Callable[..., Any] | None]] = {
    "training step": (TrainingModule, "training_step", None),
    "half a checkpoint": (torch, "save", _half_written),
    "half a model": (Symbols, "save", None),
    "scoring": (_training_run, "evaluate", _training_run.evaluate),
}


def _hit(at: str, call: int, number: int) -> None:
    """Have a signal arrive at the given call of a place."""
    owner, name, last_act = _PLACES[at]
    original = getattr(owner, name)
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call:
            return original(*args, **kwargs)
        if number != signal.SIGKILL:
            os.kill(os.getpid(), number)
            return original(*args, **kwargs)
        if last_act is not None:
            last_act(*args, **kwargs)
        os.kill(os.getpid(), number)
        raise AssertionError("a killed process goes no further")

    setattr(owner, name, counted)


def _fit(pairs: Path, output: Path, at: str, call: int, number: int, said: int) -> None:
    torch.set_num_threads(1)
    _hit(at, call, number)
    try:
        three_epochs(pairs, output)
    except TrainingError as error:
        os.write(said, f"{type(error).__name__}: {error}".encode())


def main() -> None:
    """Run the fits one after the other."""
    order = json.load(sys.stdin)
    ends = []
    for death in order["fits"]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            number = signal.Signals[death["signal"]]
            pairs, output = Path(order["pairs"]), Path(death["output"])
            _fit(pairs, output, death["at"], death["call"], number, writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as file:
            said = file.read()
        ends.append({"signal": os.WTERMSIG(os.waitpid(child, 0)[1]), "said": said})
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
