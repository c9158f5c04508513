"""The checkpoint of a training run: all that is needed to go on as if nothing had happened."""

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import TrainingError
from ._file_set import flush

_VERSION = 2
_KEYS = {
    "version",
    "architecture",
    "data",
    "settings",
    "model",
    "optimizer",
    "progress",
    "best_scores",
    "random_states",
}


def save_checkpoint(
    path: Path,
    *,
    architecture: Mapping[str, Any],
    data: Mapping[str, Any],
    settings: Mapping[str, Any],
    model: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    progress: Mapping[str, Any],
    best_scores: Mapping[str, Any],
    random_states: list[dict[str, Any]],
) -> None:
    """Write a checkpoint beside its place, flush it, and put it in its place.

    Args:
        path: the file.
        architecture: of the model.
        data: what tells the training data from other data.
        settings: of the run.
        model: weights.
        optimizer: its state.
        progress: counters.
        best_scores: of the best model so far.
        random_states: `random_state` of every process.

    Raises:
        TrainingError: it cannot be written; the checkpoint that stood there is untouched.
    """
    content = {
        "version": _VERSION,
        "architecture": dict(architecture),
        "data": dict(data),
        "settings": dict(settings),
        "model": dict(model),
        "optimizer": dict(optimizer),
        "progress": dict(progress),
        "best_scores": dict(best_scores),
        "random_states": random_states,
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink()
        with unfinished.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        flush(path.parent)
    except (OSError, RuntimeError) as error:  # RuntimeError is how torch.save says "disk full"
        raise TrainingError(
            f"the checkpoint cannot be saved to {path} ({_reason(error)}); the last one is "
            "untouched. Free space and go on with resume."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, *, architecture: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Read a checkpoint of the same architecture and data; of a pickle only plain values are read.

    Args:
        path: the file.
        architecture: what the model was built from.
        data: what tells the training data from other data.

    Raises:
        TrainingError: it is missing, damaged or of another run; says what differs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not compare the checksums
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} is not what was saved")
        content = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path} does not exist, so there is nothing to resume; start without resume."
        ) from error
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        raise TrainingError(
            f"{path} is damaged or cut short ({_reason(error)}); restore it from a copy or start "
            "again without resume."
        ) from error
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise TrainingError(
            f"{path} is no checkpoint that this version of unrolled can read; go on with the "
            "version that wrote it, or start again without resume."
        )
    if content.keys() != _KEYS:
        raise TrainingError(
            f"{path} lacks {', '.join(sorted(_KEYS - content.keys())) or 'nothing'} and has "
            f"{', '.join(sorted(content.keys() - _KEYS)) or 'nothing'} besides; restore it from a "
            "copy or start again without resume."
        )
    for what, wanted in (("architecture", architecture), ("data", data)):
        differing = differences(content[what], wanted)
        if differing:
            raise TrainingError(
                f"{path} is of another run, its {what} differs: {'; '.join(differing)}. Resume "
                "with what it was started with, or train into another directory."
            )
    return content


def differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What was changed, a phrase for each key.

    Args:
        saved: how it was.
        wanted: how it is.
    """
    return [
        f"{key} was {saved.get(key)!r} and is now {wanted.get(key)!r}"
        for key in sorted(saved.keys() | wanted.keys())
        if saved.get(key) != wanted.get(key)
    ]


def random_state() -> dict[str, Any]:
    """Where this process's random numbers stand; PyTorch draws all chance but that of batches.

    (Batches follow from the seed and the epoch alone.)
    """
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Go on drawing where a checkpoint stopped.

    Args:
        state: as `random_state` gave it.
    """
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
