"""The methods by which a model that keeps its state begins anew."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_VERBS = {"reset", "init", "clear", "zero", "renew"}
_STATES = {
    *("state", "states", "hidden", "hiddens", "h", "c", "cell", "cells", "memory", "carry"),
    *("context", "history", "sequence", "episode", "stream", "rnn", "lstm", "gru", "recurrent"),
    *("internal", "lstms", "buffer", "core", "all"),
}


def begin_anew(model: nn.Module, batch: int, dtype: torch.dtype) -> bool:
    """Calls what resets the state of a copy or of its parts; false where there is nothing such.

    Only methods of the model's own classes are called, whose names say a recurrent state and whose
    arguments can be told: none, the size of the batch, the device, the type.

    Args:
        model: the copy.
        batch: how many samples.
        dtype: of its numbers.
    """
    called = False
    for module in list(model.modules()):
        for method in _resets(module):
            arguments = _arguments(method, batch, dtype)
            if arguments is None:
                continue
            try:
                method(**arguments)
            except Exception:
                continue  # it wants something else; another may do
            called = True
    return called


def _resets(module: nn.Module) -> Iterator[Callable[..., Any]]:
    own = [kind for kind in type(module).__mro__ if not _is_of_torch(kind)]
    for name in sorted({name for kind in own for name in vars(kind)}):
        if _says_reset(name) and callable(getattr(module, name, None)):
            yield getattr(module, name)


def _says_reset(name: str) -> bool:
    verb, *rest = _HUMPS.sub("_", name.strip("_")).lower().split("_")
    if not rest:
        return verb in ("reset", "clear")
    return verb in _VERBS and set(rest) <= _STATES


def reset_flag(model: nn.Module, given: int) -> str | None:
    """The argument of a model that is False unless a call is to begin anew; None without one.

    Args:
        model: any.
        given: how many positional arguments it is called with.
    """
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())[given:]
    except (TypeError, ValueError):
        return None
    return next((p.name for p in parameters if p.default is False and _says_reset(p.name)), None)


def _is_of_torch(kind: type) -> bool:
    return kind is object or kind.__module__.split(".")[0] == "torch"


def _arguments(method: Callable[..., Any], batch: int, dtype: torch.dtype) -> dict[str, Any] | None:
    """What a method has to be given; None where that cannot be told."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        return {}
    known: dict[str, Any] = {"device": torch.device("cpu"), "dtype": dtype}
    wanted = [
        one
        for one in parameters.values()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if any(one.kind is one.POSITIONAL_ONLY for one in wanted):
        return None
    others = [one.name for one in wanted if one.name not in known]
    if len(others) > 1:
        return None
    return {one.name: known.get(one.name, batch) for one in wanted}
