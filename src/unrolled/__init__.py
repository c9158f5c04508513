"""Recurrent networks with every state in view.

An unrolled recurrent network is a grid of states, layers x time steps, and every state has a name.
Importing this package imports nothing heavy: the parts below come when they are first used.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import cli as cli
    from . import doctor as doctor
    from . import errors as errors
    from . import explanation as explanation
    from . import grid as grid
    from . import kernels as kernels
    from . import nn as nn
    from . import seq2seq as seq2seq
    from . import tasks as tasks
    from . import testing as testing
    from ._info import info as info
    from .doctor import diagnose as diagnose
    from .explanation import explain as explain
    from .grid import StateAddress as StateAddress
    from .grid import StateGrid as StateGrid
    from .nn import engine as engine
    from .seq2seq import from_pretrained as from_pretrained

_FOLDERS = (
    "cli",
    "doctor",
    "errors",
    "explanation",
    "grid",
    "kernels",
    "nn",
    "seq2seq",
    "tasks",
    "testing",
)
_NAMES = {
    "StateAddress": "grid",
    "StateGrid": "grid",
    "diagnose": "doctor",
    "engine": "nn",
    "explain": "explanation",
    "from_pretrained": "seq2seq",
    "info": "_info",
}
__all__ = [*_FOLDERS, *_NAMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("unrolled")
    if name in _FOLDERS:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        return getattr(import_module(f".{_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
