"""A model from the user's own code: `my_model.py:build`, or `package.module:Classifier`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import ModelError, UsageError
from ._nearest import nearest

if TYPE_CHECKING:
    from torch.nn import Module


def load_model(given: str) -> tuple[Module, tuple[Any, ...]]:
    """The model, and the example inputs that come with it; this runs the user's code.

    Raises:
        ModelError: the code fails, or gives no model.
        UsageError: there is no such file, module or name.
    """
    place, colon, name = given.rpartition(":")
    if not (place and colon and name):
        raise UsageError(
            f"{given!r} names no model; give a file or a module and a name in it, such as "
            "my_model.py:build"
        )
    found = _attribute(_imported(place), place, name)
    return _built(found, given)


def _imported(place: str) -> ModuleType:
    # As python does for the script that it runs: what stands beside a file can be imported by it.
    folder = str(Path(place).resolve().parent) if place.endswith(".py") else os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as fault:
            if fault.name is None or not f"{place}.".startswith(f"{fault.name}."):
                raise ModelError(_failed(place, fault)) from fault
            file = " (a file is given with its ending .py)" if "/" in place else ""
            raise UsageError(
                f"there is no module {place!r}{file}; give one that is there"
            ) from None
        except (Exception, SystemExit) as fault:
            raise ModelError(_failed(place, fault)) from fault
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"{place}: there is no such file; give one that is there")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{place} is no Python file; give one that is")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look a class's module up by its name.
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as fault:
        raise ModelError(_failed(place, fault)) from fault
    return module


def _attribute(module: ModuleType, place: str, name: str) -> Any:
    found: Any = module
    for piece in name.split("."):
        if not hasattr(found, piece):
            known = [one for one in vars(found) if not one.startswith("_")]
            raise UsageError(
                f"{place} has no {piece!r}{nearest(piece, known)}; give a function that builds the "
                "model, or the model"
            )
        found = getattr(found, piece)
    return found


def _built(found: Any, given: str) -> tuple[Module, tuple[Any, ...]]:
    """The model itself, or what a class or a function gives when it is called."""
    from torch.nn import Module

    examples: tuple[Any, ...] = ()
    if callable(found) and not isinstance(found, Module):
        try:
            found = found()
        except (Exception, SystemExit) as fault:
            raise ModelError(
                f"{_failed(f'{given}()', fault)}; it is called without arguments"
            ) from fault
    if inspect.iscoroutine(found):
        found.close()  # else Python warns that nobody awaited it
    if isinstance(found, tuple) and found and isinstance(found[0], Module):
        found, *rest = found
        together = len(rest) == 1 and isinstance(rest[0], tuple)
        examples = rest[0] if together else tuple(rest)
    if not isinstance(found, Module):
        raise ModelError(
            f"{given} gives an object of type {type(found).__name__}; it should give a "
            "torch.nn.Module, or a tuple of one and its example inputs"
        )
    return found, examples


def _failed(what: str, fault: BaseException) -> str:
    """What the user's code raised, and on which line of it."""
    trace = fault.__traceback__
    where = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file not in (__file__, importlib.__file__):
            where = f" at {file}:{trace.tb_lineno}"
            break
        trace = trace.tb_next
    return f"{what} failed{where}: {type(fault).__name__}: {fault}"
