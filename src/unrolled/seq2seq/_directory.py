"""The model directory: weights, configuration, symbols and a card."""

import hashlib
import json
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
from ._file_set import FileSet
from ._model import Seq2Seq
from ._model_card import model_card
from ._symbols import Symbols

FORMAT_VERSION = 1

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_SOURCE = "source.tokenizer.json"
_TARGET = "target.tokenizer.json"
_CARD = "README.md"
_KEYS = ("format_version", "unrolled_version", "architecture", "bridge", "sha256")
_CHECKED = (_WEIGHTS, _SOURCE, _TARGET)

Contents = tuple[Seq2Seq, Architecture, Symbols, Symbols]


def save_directory(
    path: Path,
    model: Seq2Seq,
    architecture: Architecture,
    source_symbols: Symbols,
    target_symbols: Symbols,
    scores: Mapping[str, Any] | None = None,
) -> None:
    """Write a model directory, all of it or nothing.

    A disk that fills up or a process that dies on the way leaves the model that stood there as it
    was. Other files in the directory are left alone.

    Args:
        path: the directory.
        model: the network.
        architecture: what it was built from.
        source_symbols: those of the source.
        target_symbols: those of the target.
        scores: measured scores by name, for the model card.

    Raises:
        ModelError: the directory cannot be written.
    """
    try:
        with FileSet(path).replacing() as new:
            save_file(_weights(model), new / _WEIGHTS, metadata={"format": "pt"})
            source_symbols.save(new / _SOURCE)
            target_symbols.save(new / _TARGET)
            config = {
                "format_version": FORMAT_VERSION,
                "unrolled_version": metadata.version("unrolled"),
                "architecture": asdict(architecture),
                # For people; the architecture says all that is needed to build it.
                "bridge": str(model.bridge.map).splitlines(),
                "sha256": {name: _digest(new / name) for name in _CHECKED},
            }
            text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
            (new / _CONFIG).write_text(text, "utf-8")
            shutil.copymode(new / _CONFIG, new / _WEIGHTS)  # safetensors keeps it to its owner
            (new / _CARD).write_text(model_card(path.resolve().name, architecture, scores), "utf-8")
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the model cannot be saved to {path} ({getattr(error, 'strerror', None) or error}); "
            "what stood there is untouched. Free space or choose another directory."
        ) from error


def load_directory(path: Path) -> Contents:
    """Read a model directory; the network is in evaluation mode, on the CPU.

    Args:
        path: the directory.

    Raises:
        ModelError: it is missing, damaged, of a newer format or not what it says it is.
    """
    if not path.is_dir():
        raise ModelError(f"{path} is no model directory; check the path.")
    while True:
        before = _stamp(path)
        try:
            return _load(path)
        except ModelError:
            if _stamp(path) == before:
                raise
            # A training run saved a better model while this one was read.


def _load(path: Path) -> Contents:
    files = FileSet(path)
    config_path = files.find(_CONFIG)
    config = _read_config(config_path)
    architecture = _architecture(config_path, config["architecture"])
    try:
        model = build(architecture)
    except ModelError as error:
        raise ModelError(f"{config_path}: {error}") from error
    weights = _read_weights(files.find(_WEIGHTS), model)
    source = _read_symbols(files.find(_SOURCE), architecture.source_vocab_size)
    target = _read_symbols(files.find(_TARGET), architecture.target_vocab_size)
    for name in _CHECKED:
        _check_digest(files.find(name), config_path, config["sha256"])
    model.load_state_dict(weights, strict=not architecture.tie_embeddings)
    model.eval()
    return model, architecture, source, target


def _weights(model: Seq2Seq) -> dict[str, Tensor]:
    """The parameters by name; tied ones once, since safetensors does not keep shared memory."""
    return {
        name: parameter.detach().contiguous().cpu() for name, parameter in model.named_parameters()
    }


def _stamp(path: Path) -> tuple[Path, int, int] | None:
    """What changes when a model is saved: where the configuration stands, and which it is."""
    config = FileSet(path).find(_CONFIG)
    try:
        status = config.stat()
    except OSError:
        return None
    return config, status.st_ino, status.st_mtime_ns


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; {path.parent} is no model directory.") from error
    except (ValueError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}); restore it from a copy.") from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelError(
            f"{path} has no format_version, a whole number of 1 or more; it is no configuration "
            "of a model. Check the path."
        )
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{path} is of format {version}, but this version of unrolled reads formats up to "
            f"{FORMAT_VERSION}; upgrade unrolled."
        )
    _check_keys(path, config, _KEYS)
    return dict(config)


def _architecture(path: Path, found: Any) -> Architecture:
    names = tuple(field.name for field in fields(Architecture))
    _check_keys(path, found, names, " in architecture")
    return Architecture(**found)


def _check_keys(path: Path, found: Any, expected: tuple[str, ...], where: str = "") -> None:
    if not isinstance(found, dict):
        raise ModelError(
            f"{path} has {found!r}{where}, expected keys with values; restore it from a copy of "
            "the model."
        )
    missing = [key for key in expected if key not in found]
    unknown = [key for key in found if key not in expected]
    faults = [f"lacks {', '.join(missing)}"] if missing else []
    faults += [f"has the unknown {', '.join(unknown)}"] if unknown else []
    if faults:
        raise ModelError(
            f"{path} {' and '.join(faults)}{where}; restore it from a copy of the model."
        )


def _read_weights(path: Path, model: Seq2Seq) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; restore it from a copy of the model.") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is damaged or cut short ({error}); restore it from a copy of the model."
        ) from error
    found_types = {tensor.dtype for tensor in weights.values()}
    if len(found_types) == 1:
        [dtype] = found_types
        if dtype.is_floating_point:
            model.to(dtype)
    parameters = dict(model.named_parameters())
    for name in sorted(parameters.keys() | weights.keys()):
        wanted, found = (_form(tensors.get(name)) for tensors in (parameters, weights))
        if wanted != found:
            raise ModelError(
                f"{path} is of another architecture than {_CONFIG} says: {name} is {found}, "
                f"expected {wanted}; restore both from a copy of the model."
            )
    return weights


def _form(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _read_symbols(path: Path, expected: int) -> Symbols:
    symbols = Symbols.load(path)
    if len(symbols) != expected:
        raise ModelError(
            f"{path} has {len(symbols)} symbols, but the model was trained with {expected}; "
            "restore the file from a copy of the model."
        )
    return symbols


def _check_digest(path: Path, config_path: Path, expected: Any) -> None:
    """Damage that leaves a file readable shows in its digest only."""
    _check_keys(config_path, expected, _CHECKED, " in sha256")
    try:
        found = _digest(path)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); restore it from a copy of the model."
        ) from error
    if found != expected[path.name]:
        raise ModelError(
            f"{path} is not the file that was saved, its digest differs from that in {_CONFIG}; "
            "restore it from a copy of the model."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
