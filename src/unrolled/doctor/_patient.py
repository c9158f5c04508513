"""The model as the doctor runs it: a copy that stands still; the original stays as it is."""

from __future__ import annotations

import copy
import warnings
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ..nn import QuantizedLayer
from ._stillness import SEED as SEED

MOST_SAID = 240
"""Characters of an exception's message that are repeated."""


class Patient:
    """A copy of a model in evaluation and double precision, that can be put back to the start.

    Args:
        model: the original, which is only read.

    Attributes:
        original: without what `torch.compile` put round it.
        dtype: of its numbers.
        assumptions: what could not be done as wished.
        refusal: why it cannot be run at all, as a sentence; None where it can.
    """

    def __init__(self, model: nn.Module) -> None:
        self.original = _unwrapped(model)
        self.assumptions: list[str] = []
        self.copied = True
        self.dtype = torch.float64
        self.template = self.original
        self.refusal = _refused(self.original)
        if self.refusal is None:
            with torch.inference_mode(False), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._copy()

    def fresh(self) -> nn.Module:
        """A copy as the model was when it came."""
        return copy.deepcopy(self.template) if self.copied else self.template

    def single(self) -> None:
        """Give up double precision."""
        self.dtype = torch.float32
        if self.copied:
            self._prepare()

    def _copy(self) -> None:
        try:
            template = copy.deepcopy(self.original, _made_anew(self.original))
            if _shared(template, self.original):
                raise TypeError("its copy shares parts with it")
        except Exception as reason:
            self.copied = False
            self.assumptions.append(
                f"The model could not be copied ({first_line(reason)}), so that it was run itself "
                "and put back afterwards."
            )
            return
        self.template = template
        self._prepare()

    def _prepare(self) -> None:
        try:
            prepare(self.template, self.dtype)
        except Exception as reason:
            self.refusal = (
                f"the model could not be put into evaluation and {self.dtype} "
                f"({first_line(reason)}); give one whose eval() and to() work"
            )


def prepare(model: nn.Module, dtype: torch.dtype) -> None:
    """Still: evaluation, one precision, no gradients of weights, on the CPU, nothing compiled.

    Args:
        model: a copy.
        dtype: of its numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.eval()
        model.to(device="cpu", dtype=dtype)
        for parameter in model.parameters():
            if not parameter.is_leaf:  # a copy of TorchScript's
                parameter.detach_()
                continue
            parameter.requires_grad_(False)
            parameter.grad = None
        for module in list(model.modules()):
            if isinstance(module, torch.jit.ScriptModule):
                continue
            for name, child in list(module._modules.items()):
                if child is not None:
                    module._modules[name] = _unwrapped(child)
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor) and value.is_floating_point():
                    setattr(module, name, value.detach().to("cpu", dtype))
                elif isinstance(value, tuple) and value and all(_is_floating(v) for v in value):
                    setattr(module, name, tuple(v.detach().to("cpu", dtype) for v in value))


def first_line(reason: BaseException) -> str:
    """The kind of an exception, and the beginning of what it says.

    Args:
        reason: the exception.
    """
    try:
        lines = str(reason).strip().splitlines()
    except Exception:  # somebody's own `__str__`
        lines = []
    said = f": {shorten(lines[0], MOST_SAID, placeholder=' …')}" if lines else ""
    return f"{type(reason).__name__}{said}"


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module that `torch.compile` was given, or the module itself."""
    if not type(module).__module__.startswith("torch._dynamo"):
        return module
    inner = module._modules.get("_orig_mod")
    return module if inner is None else _unwrapped(inner)


def _refused(model: nn.Module) -> str | None:
    """Why a model can be neither copied nor run, if that can be told beforehand."""
    if isinstance(model, torch.jit.ScriptModule):
        return (
            "the model was made by TorchScript (torch.jit), inside which no layer can be watched; "
            "give the Python module that it was made of"
        )
    for name, module in model.named_modules():
        if _is_quantised(module):
            return (
                f"{name or 'the model'} is a quantised {type(module).__name__}, inside which no "
                "state can be watched; give the model as it was before it was quantised"
            )
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if nn.parameter.is_lazy(tensor):
            return (
                f"{name} has no shape yet, as in lazy modules before their first call; call the "
                "model once, then give it"
            )
        if tensor.is_meta:
            return (
                f"{name} is on the meta device and holds no numbers; fill the model with to_empty "
                "and load_state_dict, then give it"
            )
    return None


def _is_quantised(module: nn.Module) -> bool:
    """Whether it is a recurrent layer with weights of a low precision, PyTorch's own or ours."""
    torchs = type(module).__module__.startswith(("torch.ao.nn.quantiz", "torch.nn.quantiz"))
    recurrent = type(module).__name__.startswith(("LSTM", "GRU", "RNN"))
    return isinstance(module, QuantizedLayer) or (torchs and recurrent)


def _made_anew(model: nn.Module) -> dict[int, Any]:
    """What `deepcopy` takes as copied already, since it refuses such tensors or copies too well.

    They are those that a model keeps from an earlier call, which hang on the graph of that call,
    and those made in inference mode, which no gradient can ever pass.

    Args:
        model: one that may have run.
    """
    copies: dict[int, Any] = {}
    for module in model.modules():
        for leaf in _kept(module):
            if not isinstance(leaf, Tensor) or nn.parameter.is_lazy(leaf):
                continue
            if not leaf.is_leaf or leaf.is_inference():
                anew = leaf.detach().clone()
                parameter = isinstance(leaf, nn.Parameter)
                copies[id(leaf)] = nn.Parameter(anew, leaf.requires_grad) if parameter else anew
    return copies


def _kept(module: nn.Module) -> list[Any]:
    try:
        return pytree.tree_leaves(dict(vars(module)))
    except RecursionError:  # a list that holds itself
        return [*vars(module).values(), *module.parameters(False), *module.buffers(False)]


def _shared(one: nn.Module, other: nn.Module) -> bool:
    """Whether a copy holds modules or numbers of the original."""
    kept = {id(module) for module in other.modules()}
    kept |= {tensor.data_ptr() for tensor in _numbers(other)}
    found = {id(module) for module in one.modules()}
    found |= {tensor.data_ptr() for tensor in _numbers(one)}
    return bool(kept & found)


def _numbers(model: nn.Module) -> list[Tensor]:
    tensors = [*model.parameters(), *model.buffers()]
    return [t for t in tensors if t.layout == torch.strided and t.numel() and not t.is_meta]


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
