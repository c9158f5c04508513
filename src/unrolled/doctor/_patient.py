"""The model as the doctor runs it: a copy that stands still; the original stays as it is."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

SEED = 1937


class Patient:
    """A copy of a model in evaluation and double precision, that can be put back to the start.

    Args:
        model: the original, which is only read.

    Attributes:
        dtype: of its numbers.
        assumptions: what could not be done as wished.
    """

    def __init__(self, model: nn.Module) -> None:
        self.original = model
        self.assumptions: list[str] = []
        self.copied = True
        self.dtype = torch.float64
        try:
            self.template = copy.deepcopy(model, _cut_from_graphs(model))
        except Exception as reason:
            self.copied = False
            self.template = model
            self.assumptions.append(
                f"The model could not be copied ({_first_line(reason)}), so that it was run itself "
                "and put back afterwards."
            )
        if self.copied:
            prepare(self.template, self.dtype)

    def fresh(self) -> nn.Module:
        """A copy as the model was when it came."""
        return copy.deepcopy(self.template) if self.copied else self.template

    def single(self) -> None:
        """Give up double precision."""
        self.dtype = torch.float32
        if self.copied:
            prepare(self.template, self.dtype)


def prepare(model: nn.Module, dtype: torch.dtype) -> None:
    """Still: evaluation, one precision, no gradients of weights, on the CPU.

    Args:
        model: a copy.
        dtype: of its numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.eval()
        model.to(device="cpu", dtype=dtype)
        for parameter in model.parameters():
            parameter.requires_grad_(False)
            parameter.grad = None
        for module in model.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor) and value.is_floating_point():
                    setattr(module, name, value.detach().to("cpu", dtype))
                elif isinstance(value, tuple) and value and all(_is_floating(v) for v in value):
                    setattr(module, name, tuple(v.detach().to("cpu", dtype) for v in value))


def _cut_from_graphs(model: nn.Module) -> dict[int, Any]:
    """What `deepcopy` takes as copied already: tensors that a model keeps from an earlier call.

    Such a tensor hangs on the graph of that call, and `deepcopy` refuses it.

    Args:
        model: one that may have run.
    """
    copies: dict[int, Any] = {}
    for module in model.modules():
        for leaf in pytree.tree_leaves(dict(vars(module))):
            if isinstance(leaf, Tensor) and not leaf.is_leaf:
                copies[id(leaf)] = leaf.detach().clone()
    return copies


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


@contextmanager
def stillness(dtype: torch.dtype, seed: int = SEED) -> Iterator[None]:
    """All that a run may change outside the model is put back: random states, modes, defaults.

    Args:
        dtype: of numbers that the model makes without a word of their type.
        seed: of the random states inside.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    default, enabled = torch.get_default_dtype(), torch.is_grad_enabled()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Of the CPU alone, where the copy runs: `torch.manual_seed` would move other devices too.
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(True)
        try:
            with torch.inference_mode(False):
                yield
        finally:
            torch.set_default_dtype(default)
            torch.set_grad_enabled(enabled)
            np.random.set_state(numpy_state)
            random.setstate(python_state)


@contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """The model's tensors, mode, gradients and attributes are put back.

    Args:
        model: one that could not be copied.
    """
    modules = list(model.modules())
    kept = []
    for module in modules:
        inner = {k: dict(v) for k, v in vars(module).items() if isinstance(v, dict)}
        kept.append((dict(vars(module)), inner))
    tensors = [*model.parameters(), *model.buffers()]
    values = [(t, t.detach().clone(), t.grad, t.requires_grad) for t in tensors]
    try:
        yield
    finally:
        for tensor, value, gradient, wants in values:
            with torch.no_grad():
                tensor.data = value
            tensor.requires_grad_(wants) if tensor.is_leaf else None
            tensor.grad = gradient
        for module, (outer, inner) in zip(modules, kept, strict=True):
            for name in [name for name in vars(module) if name not in outer]:
                del module.__dict__[name]
            module.__dict__.update(outer)
            for name, content in inner.items():
                held = module.__dict__[name]
                held.clear()
                held.update(content)


def _first_line(reason: BaseException) -> str:
    text = str(reason).strip().splitlines()
    return f"{type(reason).__name__}: {text[0]}" if text else type(reason).__name__
