"""A call of the user's own function: with what it takes, and with nothing left to chance."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from ..errors import UsageError


def call_function(function: Callable[..., Any], x: Any, lengths: Any) -> Any:
    """What the function returns; a fault of its own says that it is one."""
    arguments = _arguments(function, x, lengths)
    try:
        return function(*arguments)
    except UsageError:
        raise
    except Exception as fault:
        fault.add_note(
            "unrolled.explain called the function, and it failed by itself; in place of what the "
            "layer computes it was given other values, between -1 and 1."
        )
        raise


def _arguments(function: Callable[..., Any], x: Any, lengths: Any) -> tuple[Any, ...]:
    """What the function is called with: x, and the lengths where it takes a second argument.

    Raises:
        UsageError: it takes neither.
    """
    given = tuple(x) if isinstance(x, tuple | list) and not isinstance(x, PackedSequence) else (x,)
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # of a builtin it may not be known
        return given
    try:
        if lengths is not None:
            signature.bind(*given, lengths)
            return (*given, lengths)
    except TypeError:
        pass
    try:
        signature.bind(*given)
    except TypeError as fault:
        shown = "x" if len(given) == 1 else f"*x, of {len(given)}"
        raise UsageError(
            f"the function cannot be called as function({shown}): {fault}; wrap it in one that "
            "can, such as lambda x: function(x, ...)"
        ) from None
    return given


class WithoutDropout(TorchFunctionMode):
    """Lets every dropout pass its input on, in a function of which no module is known too."""

    _NAMES = frozenset(
        f"{kind}{place}"
        for kind in ("dropout", "dropout1d", "dropout2d", "dropout3d")
        for place in ("", "_")
    ) | {"alpha_dropout", "feature_dropout", "feature_alpha_dropout", "native_dropout"}

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        if getattr(function, "__name__", "") in self._NAMES:
            return given[0] if given else named["input"]
        return function(*given, **named)


@contextmanager
def at_rest(function: Any) -> Iterator[None]:
    """The module that a function is, or is a method of, in evaluation; afterwards as it was."""
    owner = getattr(function, "__self__", function)
    modules = list(owner.modules()) if isinstance(owner, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
