"""All that a run of somebody's model may change is put back afterwards."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import nn

SEED = 1937


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
            with torch.inference_mode(False), _uncompiled():
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


def _uncompiled() -> AbstractContextManager[object]:
    """What `torch.compile` made runs as it was written, so that its layers can be watched."""
    if "torch._dynamo" not in sys.modules:  # nothing was compiled, and the import takes seconds
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance
