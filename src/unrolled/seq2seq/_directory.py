"""The model directory: weights, configuration, symbols and a card."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import ModelError
from ._architecture import Architecture, build
from ._model import Seq2Seq
from ._model_card import model_card
from ._symbols import Symbols

FORMAT_VERSION = 1

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_SOURCE = "source.tokenizer.json"
_TARGET = "target.tokenizer.json"
_CARD = "README.md"
_KEYS = ("format_version", "unrolled_version", "architecture", "bridge")


def save_directory(
    path: Path,
    model: Seq2Seq,
    architecture: Architecture,
    source_symbols: Symbols,
    target_symbols: Symbols,
    scores: Mapping[str, Any] | None = None,
) -> None:
    """Write a model directory.

    All files are written and flushed beside their place first, so a disk that fills up or a
    process that dies on the way leaves the model that stood there as it was.

    Args:
        path: the directory; other files in it are left alone.
        model: the network.
        architecture: what it was built from.
        source_symbols: those of the source.
        target_symbols: those of the target.
        scores: measured scores by name, for the model card.

    Raises:
        ModelError: the directory cannot be written.
    """
    config = {
        "format_version": FORMAT_VERSION,
        "unrolled_version": metadata.version("unrolled"),
        "architecture": asdict(architecture),
        "bridge": str(model.bridge.map).splitlines(),
    }
    staging = path / f".saving-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        save_file(_weights(model), staging / _WEIGHTS, metadata={"format": "pt"})
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        (staging / _CONFIG).write_text(text, "utf-8")
        source_symbols.save(staging / _SOURCE)
        target_symbols.save(staging / _TARGET)
        (staging / _CARD).write_text(model_card(path.name, architecture, scores), "utf-8")
        for file in staging.iterdir():
            _flush(file)
        for name in (_SOURCE, _TARGET, _WEIGHTS, _CONFIG, _CARD):
            (staging / name).replace(path / name)
        _flush(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the model cannot be saved to {path} ({getattr(error, 'strerror', None) or error}); "
            "what stood there is untouched. Free space or choose another directory."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def load_directory(path: Path) -> tuple[Seq2Seq, Architecture, Symbols, Symbols]:
    """Read a model directory; the network is in evaluation mode, on the CPU.

    Args:
        path: the directory.

    Raises:
        ModelError: it is missing, damaged, of a newer format or not what it says it is.
    """
    if not path.is_dir():
        raise ModelError(f"{path} is no model directory; check the path.")
    config = _read_config(path / _CONFIG)
    architecture = _architecture(path / _CONFIG, config["architecture"])
    model = build(architecture)
    _load_weights(path / _WEIGHTS, model)
    symbols = []
    for name, size in (
        (_SOURCE, architecture.source_vocab_size),
        (_TARGET, architecture.target_vocab_size),
    ):
        found = Symbols.load(path / name)
        if len(found) != size:
            raise ModelError(
                f"{path / name} has {len(found)} symbols, but the model was trained with {size}; "
                "restore the file from a copy of the model."
            )
        symbols.append(found)
    model.eval()
    return model, architecture, symbols[0], symbols[1]


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    """The parameters by name; tied ones once, since safetensors does not keep shared memory."""
    return {
        name: parameter.detach().contiguous().cpu() for name, parameter in model.named_parameters()
    }


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; {path.parent} is no model directory.") from error
    except (ValueError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}); restore it from a copy.") from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if not isinstance(version, int):
        raise ModelError(f"{path} has no format_version; it is no configuration of a model.")
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{path} is of format {version}, but this version of unrolled reads formats up to "
            f"{FORMAT_VERSION}; upgrade unrolled."
        )
    _check_keys(path, config, _KEYS)
    return config


def _architecture(path: Path, found: dict[str, Any]) -> Architecture:
    _check_keys(path, found, tuple(field.name for field in fields(Architecture)))
    return Architecture(**found)


def _check_keys(path: Path, found: dict[str, Any], expected: tuple[str, ...]) -> None:
    missing = [key for key in expected if key not in found]
    unknown = [key for key in found if key not in expected]
    if missing or unknown:
        faults = [f"lacks {', '.join(missing)}"] if missing else []
        faults += [f"has the unknown {', '.join(unknown)}"] if unknown else []
        raise ModelError(f"{path} {' and '.join(faults)}; restore it from a copy of the model.")


def _load_weights(path: Path, model: Seq2Seq) -> None:
    try:
        weights = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; a model directory needs it.") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is damaged or cut short ({error}); restore it from a copy of the model."
        ) from error
    wanted = {name: tuple(value.shape) for name, value in model.named_parameters()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ModelError(
                f"{path} is of another architecture than {_CONFIG} says: {name} is "
                f"{found.get(name, 'missing')}, expected {wanted.get(name, 'no such weight')}."
            )
    for name, parameter in model.named_parameters():
        if weights[name].dtype != parameter.dtype:
            raise ModelError(
                f"{path}: {name} is {weights[name].dtype}, expected {parameter.dtype}; "
                "restore the file from a copy of the model."
            )
    model.load_state_dict(weights, strict=not _is_tied(model))


def _is_tied(model: Seq2Seq) -> bool:
    return model.decoder.vocabulary.weight is model.decoder.embedding.weight


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
