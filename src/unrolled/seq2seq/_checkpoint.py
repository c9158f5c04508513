"""The checkpoint of a training run: all that is needed to go on as if nothing had happened."""

import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..errors import TrainingError
from ._architecture import Architecture

_VERSION = 1


def save_checkpoint(
    path: Path,
    *,
    architecture: Architecture,
    settings: dict[str, Any],
    model: dict[str, Any],
    optimizer: dict[str, Any],
    progress: dict[str, Any],
    best_model: dict[str, Any],
) -> None:
    """Write a checkpoint beside its place, flush it, and put it in its place.

    Args:
        path: the file.
        architecture: of the model.
        settings: of the run; a resumption must have the same.
        model: weights.
        optimizer: its state.
        progress: counters.
        best_model: what is known of the best model so far.

    Raises:
        TrainingError: it cannot be written; the checkpoint that stood there is untouched.
    """
    content = {
        "version": _VERSION,
        "architecture": asdict(architecture),
        "settings": settings,
        "model": model,
        "optimizer": optimizer,
        "progress": progress,
        "best_model": best_model,
        "random_state": torch.get_rng_state(),
        "cuda_random_states": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f"the checkpoint cannot be saved to {path} ({_reason(error)}); the last one is "
            "untouched. Free space and go on with resume."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, *, architecture: Architecture, settings: dict[str, Any]
) -> dict[str, Any]:
    """Read a checkpoint of the same architecture and settings.

    Args:
        path: the file.
        architecture: what the model was built from.
        settings: of the run that wants to go on.

    Raises:
        TrainingError: it is missing, damaged or of another run; says what differs.
    """
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path} does not exist, so there is nothing to resume; start without resume."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path} is damaged or cut short ({_reason(error)}); restore it from a copy or start "
            "again without resume."
        ) from error
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise TrainingError(f"{path} is no checkpoint that this version of unrolled can read.")
    checks: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("architecture", content["architecture"], asdict(architecture)),
        ("run", content["settings"], settings),
    ]
    for what, saved, wanted in checks:
        differing = [
            f"{key} was {saved.get(key)!r} and is now {wanted.get(key)!r}"
            for key in sorted(saved.keys() | wanted.keys())
            if saved.get(key) != wanted.get(key)
        ]
        if differing:
            raise TrainingError(
                f"{path} is of another {what}: {'; '.join(differing)}. Resume with the same "
                "settings, or train into another directory."
            )
    return content


def restore_random_state(content: dict[str, Any]) -> None:
    """Go on drawing where the checkpoint stopped.

    Args:
        content: a loaded checkpoint.
    """
    torch.set_rng_state(content["random_state"])
    if content["cuda_random_states"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["cuda_random_states"])


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
