"""Which engine computes, and why."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from torch import Tensor

from ..kernels import isa, why_unavailable
from . import _native_engine, _reference_engine, _torch_engine
from ._kernel_use import is_plain, why_not_compiled
from ._stack_call import StackCall, StackStates, TopStates

_VARIABLE = "UNROLLED_ENGINE"


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to compute a recurrent stack.

    Attributes:
        name: what `unrolled.engine` and `UNROLLED_ENGINE` call it.
        run: `output` and final states of a run.
        unroll: every state of a run.
    """

    name: str
    run: Callable[[StackCall], TopStates] = field(repr=False)
    unroll: Callable[[StackCall], StackStates] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine in use and the reason it was chosen."""

    engine: Engine
    reason: str

    def __str__(self) -> str:
        return f"{self.engine.name}: {self.reason}"


_ENGINES = {
    "native": Engine("native", _native_engine.run, _native_engine.unroll),
    "torch": Engine("torch", _torch_engine.run, _torch_engine.unroll),
    "reference": Engine("reference", _reference_engine.run, _reference_engine.unroll),
}


def engine_names() -> tuple[str, ...]:
    """The engines there are."""
    return tuple(_ENGINES)


class engine:  # noqa: N801 - reads as the verb it is: `with unrolled.engine("reference"):`
    """Choose who computes: for the process, or inside a `with` block.

    Called, it sets the engine at once, for all threads. Used as a context manager, it restores
    the engine that was in use before when the block ends.

    Args:
        name: `"native"` (the compiled kernels), `"torch"` (PyTorch's operators: oneDNN, cuDNN) or
            `"reference"` (plain loops). A run that the kernels cannot compute, since it is not in
            float32 or not on the CPU, goes to PyTorch's operators.

    Raises:
        ValueError: there is no such engine.
    """

    def __init__(self, name: str) -> None:
        global _choice
        self._before = current_engine()
        _choice = EngineChoice(_find(name, "engine"), f"chosen by unrolled.engine({name!r})")

    def __enter__(self) -> "engine":  # noqa: PYI034  (the shape checks of the tests know no Self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _choice
        _choice = self._before


_choice: EngineChoice | None = None


def current_engine() -> EngineChoice:
    """The engine in use and why: the last call of `engine`, else `UNROLLED_ENGINE`, else native.

    Without compiled kernels torch takes the place of native.

    Raises:
        ValueError: `UNROLLED_ENGINE` names no engine, or `UNROLLED_ISA` no instruction set that
            there is here.
    """
    global _choice
    if _choice is None:
        if why_unavailable() is None:
            isa()  # a wrong UNROLLED_ISA is refused whoever computes
        named = os.environ.get(_VARIABLE)
        if named:
            _choice = EngineChoice(_find(named, _VARIABLE), f"chosen by {_VARIABLE}={named}")
        else:
            _choice = _default()
    return _choice


def engine_of(call: StackCall) -> EngineChoice:
    """The engine that computes a run and why: the one in use, or torch where that cannot.

    Args:
        call: the run.
    """
    choice = current_engine()
    if choice.engine.name == "native":
        reason = _native_engine.why_not(call)
        if reason is not None:
            return EngineChoice(_ENGINES["torch"], reason)
    return choice


def uses_kernels(tensors: Sequence[Tensor]) -> bool:
    """Whether the engine in use is the native one, and it can compute something of these tensors.

    Args:
        tensors: all that it is computed from.
    """
    return current_engine().engine.name == "native" and why_not_compiled(tensors) is None


def may_call_kernels(tensors: Sequence[Tensor]) -> bool:
    """Whether the kernels may be called for something of these tensors, past PyTorch's dispatcher.

    `uses_kernels`, and nothing is traced or recorded.

    Args:
        tensors: all that it is computed from.
    """
    return uses_kernels(tensors) and is_plain(tensors)


def _default() -> EngineChoice:
    reason = why_unavailable()
    if reason is not None:
        return EngineChoice(_ENGINES["torch"], reason)
    return EngineChoice(_ENGINES["native"], f"the default; its kernels use {isa().name}")


def _find(name: str, what: str) -> Engine:
    if name not in _ENGINES:
        *others, last = map(repr, _ENGINES)
        known = f"{', '.join(others)} and {last}"
        raise ValueError(f"{what} is {name!r}; this installation has {known}.")
    return _ENGINES[name]
