"""The compiled module and the instruction set it uses."""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

_VARIABLE = "UNROLLED_ISA"
_REFERENCE = "numpy"
_MODULE = "unrolled.kernels._native"


@dataclass(frozen=True, slots=True)
class IsaChoice:
    """Who computes the products, and why.

    Attributes:
        name: an instruction set, or `"numpy"` without a compiled module.
        reason: why it was chosen.
    """

    name: str
    reason: str


@cache
def native() -> ModuleType | None:
    """The compiled module; `None` where it was not built."""
    try:
        return import_module(_MODULE)
    except ImportError:
        return None


@cache
def why_unavailable() -> str | None:
    """Why there is no compiled module; `None` where there is one."""
    if native() is not None:
        return None
    try:
        import_module(_MODULE)
    except ModuleNotFoundError:
        return (
            "unrolled was installed without its compiled module: its build found no working C++20 "
            "compiler; install one (apt-get install g++) and install unrolled again, where "
            "`pip install -v` shows what the build says"
        )
    except ImportError as error:
        return f"the compiled module cannot be loaded: {error}"
    return None


def available_isas() -> tuple[str, ...]:
    """The instruction sets that run on this machine, best last; `("numpy",)` when not compiled."""
    module = native()
    return (_REFERENCE,) if module is None else tuple(module.available_isas())


@cache
def isa() -> IsaChoice:
    """The instruction set in use: `UNROLLED_ISA`, else the best that runs here.

    Raises:
        ValueError: `UNROLLED_ISA` names none, or one that this machine lacks.
    """
    module, wanted = native(), os.environ.get(_VARIABLE)
    if module is None:
        reason = why_unavailable() or "not compiled"
        if wanted and wanted != _REFERENCE:
            raise ValueError(f"{_VARIABLE} is {wanted!r}, but {reason}; until then unset it.")
        warnings.warn(f"{reason}; until then products run on NumPy.", RuntimeWarning, stacklevel=2)
        return IsaChoice(_REFERENCE, reason)
    available = available_isas()
    if not wanted:
        return IsaChoice(available[-1], "the best that this machine runs")
    if wanted not in available:
        known = wanted in module.compiled_isas()
        fault = "this machine does not have it" if known else "there is no such instruction set"
        raise ValueError(f"{_VARIABLE} is {wanted!r}, but {fault}; use {', '.join(available)}.")
    return IsaChoice(wanted, f"chosen by {_VARIABLE}={wanted}")
