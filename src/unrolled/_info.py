"""What is installed, who computes, and why."""

import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from ._extras import how_to_install

_NEEDED_BY_LAYERS = ("torch", "jaxtyping")
_PARTS = ("numpy", "torch", "lightning", "tokenizers", "safetensors")


@dataclass(frozen=True, slots=True)
class Info:
    """This installation at a glance.

    Attributes:
        versions: of unrolled, Python and what unrolled stands on; `None` where it is not installed.
        engine: who computes recurrent layers; `None` without PyTorch.
        engine_reason: why.
        isa: instruction set of the compiled kernels, or `"numpy"`.
        isa_reason: why.
        threads: that PyTorch uses; the processors of the machine without PyTorch.
    """

    versions: dict[str, str | None]
    engine: str | None
    engine_reason: str
    isa: str
    isa_reason: str
    threads: int

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [(name, version or "not installed") for name, version in self.versions.items()]
        rows.append(("engine", f"{self.engine or 'none'} ({self.engine_reason})"))
        rows.append(("instruction set", f"{self.isa} ({self.isa_reason})"))
        rows.append(("threads", str(self.threads)))
        return "\n".join(f"{name:<16} {value}" for name, value in rows)


def info() -> Info:
    """What is installed, who computes, and why.

    Raises:
        ValueError: `UNROLLED_ENGINE` or `UNROLLED_ISA` names what does not exist here.
    """
    from .kernels import isa

    versions: dict[str, str | None] = {
        "unrolled": metadata.version("unrolled"),
        "python": platform.python_version(),
        **{part: _version(part) for part in _PARTS},
    }
    choice = isa()
    missing = [part for part in _NEEDED_BY_LAYERS if _version(part) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed; {how_to_install('torch')}"
        engine = None
        threads = os.cpu_count() or 1
    else:
        import torch

        from .nn import current_engine

        current = current_engine()
        engine, reason, threads = current.engine.name, current.reason, torch.get_num_threads()
    return Info(versions, engine, reason, choice.name, choice.reason, threads)


def _version(part: str) -> str | None:
    try:
        return metadata.version(part)
    except metadata.PackageNotFoundError:
        return None
