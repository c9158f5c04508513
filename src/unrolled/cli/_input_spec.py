"""What `--input` describes: random numbers, ids, lengths, a mask, or what a file holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor

_FLOATS = ("float", "float16", "bfloat16", "float32", "float64")
_SUFFIXES = (".pt", ".npy", ".npz", ".safetensors")
_FORMS = "float[4,7,16], ids[4,7]<100, lengths[7,5,3,2], mask or a file such as batch.npz"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One `--input`, taken apart."""

    given: str
    name: str
    """The keyword it is given by; empty where it stands by its place."""
    kind: str
    """One of the floats, `"ids"`, `"lengths"`, `"mask"` or `"file"`."""
    sizes: tuple[int, ...] = ()
    below: int = 0
    """One more than the largest id."""
    path: str = ""
    key: str = ""


def read_input(given: str) -> InputSpec:
    """Take an `--input` apart.

    Raises:
        UsageError: it has none of the known forms.
    """
    name, equals, rest = given.partition("=")
    if not equals or not name.isidentifier():
        name, rest = "", given
    if found := re.fullmatch(r"(.+?)(?:\[([^\[\]]+)\])?", rest):
        path, key = found[1], found[2] or ""
        if path.endswith(_SUFFIXES):
            return InputSpec(given, name, "file", path=path, key=key)
    if rest == "mask":
        return InputSpec(given, name, "mask")
    found = re.fullmatch(r"(\w+)\[([\d, ]+)\](?:<(\d+))?", rest)
    if found is None or found[1] not in (*_FLOATS, "ids", "lengths"):
        raise UsageError(f"--input {given!r} describes no input; give {_FORMS}")
    kind = found[1]
    try:
        sizes = tuple(int(piece) for piece in found[2].split(","))
    except ValueError:
        raise UsageError(
            f"--input {given!r} has no sizes that can be read; give {_FORMS}"
        ) from None
    if min(sizes) < 1:
        raise UsageError(f"--input {given!r}: each number in brackets must be 1 or more")
    if (kind == "ids") != (found[3] is not None):
        way = "ids need a bound, such as ids[4,7]<100" if kind == "ids" else "only ids have a bound"
        raise UsageError(f"--input {given!r}: {way}")
    if kind == "ids" and int(found[3]) < 2:
        raise UsageError(f"--input {given!r}: the bound of ids must be 2 or more")
    return InputSpec(given, name, kind, sizes, int(found[3] or 0))


def example_inputs(
    specs: Sequence[InputSpec], lengths: Sequence[int] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs by place and by name; random ones are the same each time.

    Ids are drawn from 1 up, so that 0, which most models keep for padding, stands only where
    lengths say that a step is padded.

    Args:
        specs: what was given, in order.
        lengths: real steps of each sample, from `--lengths`.

    Raises:
        DataError: a file cannot be read.
        UsageError: the inputs do not fit together.
    """
    import torch

    random = torch.Generator().manual_seed(0)
    for spec in specs:
        if spec.kind == "lengths":
            _check_lengths(spec, specs)
            lengths = spec.sizes if lengths is None else lengths
    by_place: list[Any] = []
    by_name: dict[str, Any] = {}
    for spec in specs:
        value = _value(spec, lengths, specs, random)
        if not spec.name:
            if by_name:
                raise UsageError(
                    f"--input {spec.given!r} stands after one with a name; put it first"
                )
            by_place.append(value)
        elif spec.name in by_name:
            raise UsageError(f"--input gives {spec.name!r} twice; give it once")
        else:
            by_name[spec.name] = value
    return tuple(by_place), by_name


def _check_lengths(spec: InputSpec, specs: Sequence[InputSpec]) -> None:
    """Refuse lengths that no sequence can have, where all inputs are described by their sizes.

    Raises:
        UsageError: they do not fit.
    """
    others = [one for one in specs if one.kind not in ("lengths", "mask")]
    sequences = [one for one in others if len(one.sizes) == (2 if one.kind == "ids" else 3)]
    deeper = any(len(one.sizes) > 3 or (one.kind == "ids" and one.sizes[2:]) for one in others)
    if not sequences or deeper or any(one.kind == "file" for one in others):
        return
    shapes = [shape for one in sequences for shape in (one.sizes[:2], one.sizes[1::-1])]
    fitting = [steps for samples, steps in shapes if samples == len(spec.sizes)]
    first = sequences[0]
    if not fitting:
        raise UsageError(
            f"--input {spec.given!r} holds {len(spec.sizes)} numbers, but {first.given} holds "
            f"{first.sizes[0]} samples; give one for each"
        )
    if max(spec.sizes) > max(fitting):
        raise UsageError(
            f"--input {spec.given!r} holds {max(spec.sizes)}, but the inputs have {max(fitting)} "
            f"steps; each length must be from 1 to {max(fitting)}"
        )


def _value(
    spec: InputSpec,
    lengths: Sequence[int] | None,
    specs: Sequence[InputSpec],
    random: Generator,
) -> Any:
    import torch

    match spec.kind:
        case "file":
            return _from_file(spec)
        case "lengths":
            return torch.tensor(spec.sizes)
        case "mask":
            return _mask(spec, lengths, specs)
        case _:
            try:
                return _random(spec, lengths, random)
            except (RuntimeError, ValueError, OverflowError, TypeError, MemoryError):
                raise UsageError(
                    f"--input {spec.given!r} is too large to be made here; give smaller numbers"
                ) from None


def _random(spec: InputSpec, lengths: Sequence[int] | None, random: Generator) -> Tensor:
    import torch

    if spec.kind == "ids":
        ids = torch.randint(1, spec.below, spec.sizes, generator=random)
        return _padded(ids, lengths) if len(spec.sizes) == 2 else ids
    kind = torch.float32 if spec.kind == "float" else getattr(torch, spec.kind)
    return torch.randn(spec.sizes, generator=random).to(kind)


def _padded(ids: Tensor, lengths: Sequence[int] | None) -> Tensor:
    """Ids that are 0 in padded steps, where the lengths fit (batch, step)."""
    import torch

    if lengths is None or len(lengths) != ids.shape[0] or max(lengths) > ids.shape[1]:
        return ids
    return ids * (torch.arange(ids.shape[1]) < torch.tensor(list(lengths))[:, None])


def _mask(spec: InputSpec, lengths: Sequence[int] | None, specs: Sequence[InputSpec]) -> Tensor:
    """(batch, step), true at real steps."""
    import torch

    if lengths is None:
        raise UsageError(f"--input {spec.given!r} needs lengths; give --lengths 7,5,3 too")
    steps = next(
        (
            one.sizes[1]
            for one in specs
            if one.kind in ("ids", *_FLOATS) and len(one.sizes) > 1
            if one.sizes[0] == len(lengths)
        ),
        max(lengths),
    )
    return torch.arange(steps) < torch.tensor(list(lengths))[:, None]


def _from_file(spec: InputSpec) -> Any:
    """What a file holds, read without running anything in it."""
    path = Path(spec.path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give one that is there")
    try:
        found = _read(path)
    except Exception as fault:
        raise DataError(
            f"{path} is damaged, or holds more than plain tensors, and nothing in a file is run "
            f"({type(fault).__name__}); save plain tensors with torch.save, numpy.savez or "
            "safetensors"
        ) from None
    if isinstance(found, dict) and spec.key:
        if spec.key not in found:
            names = ", ".join(map(str, found)) or "nothing"
            raise DataError(f"{path} has no {spec.key!r}; it has {names}")
        return found[spec.key]
    if spec.key:
        raise DataError(f"{path} holds one thing and no {spec.key!r}; leave out [{spec.key}]")
    if isinstance(found, dict) and len(found) == 1 and path.suffix != ".pt":
        return next(iter(found.values()))
    return found


def _read(path: Path) -> Any:
    import torch

    match path.suffix:
        case ".pt":
            return torch.load(path, map_location="cpu", weights_only=True)
        case ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        case _:
            import numpy as np

            loaded = np.load(path, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return torch.from_numpy(loaded)
            with loaded:
                return {name: torch.from_numpy(loaded[name]) for name in loaded.files}
