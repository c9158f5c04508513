"""What the compiled kernels can compute."""

from collections.abc import Sequence
from operator import attrgetter

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..kernels import why_unavailable

_PLAIN = {Tensor, torch.nn.Parameter}
# Of a layer that is called, all tensors are asked in one go: a loop takes several times as long.
_PLACE_AND_TYPE = attrgetter("is_cpu", "dtype")
_FLOATS_ON_CPU = {(True, torch.float32)}
_MISSING = why_unavailable()  # asked once: a compiled graph cannot trace an import


def why_not_compiled(tensors: Sequence[Tensor]) -> str | None:
    """Why the kernels cannot compute something of these tensors; `None` where they can.

    Args:
        tensors: all that it is computed from.
    """
    if _MISSING is not None:
        return _MISSING
    is_compiling = torch.compiler.is_compiling()
    if is_compiling or set(map(_PLACE_AND_TYPE, tensors)) != _FLOATS_ON_CPU:
        for tensor in tensors:
            if not tensor.is_cpu:
                return f"the kernels run on the CPU, and a tensor is on {tensor.device}"
            if tensor.dtype != torch.float32:
                return f"the kernels compute in float32, and a tensor is {tensor.dtype}"
    if torch.is_autocast_enabled("cpu"):
        return "the kernels compute in float32, and autocast asks for another type"
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return "the kernels know plain gradients, not the transformations of torch.func"
    # The compiler can trace neither question, and asks the operator, not the memory.
    if not is_compiling:
        if any(map(Tensor.is_neg, tensors)):
            return "the kernels read memory as it is, and a tensor is a negated view of it"
        if torch._C._get_tracing_state() is not None:
            return "a trace for TorchScript or ONNX is made of PyTorch's operators"
    return None


def is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether kernels may be called past PyTorch's dispatcher: nothing is traced or recorded.

    Args:
        tensors: all that is computed from.
    """
    return not is_recorded(tensors) and not is_traced(tensors)


def is_recorded(tensors: Sequence[Tensor]) -> bool:
    """Whether PyTorch is to differentiate what is computed.

    Args:
        tensors: all that is computed from.
    """
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def is_traced(tensors: Sequence[Tensor]) -> bool:
    """Whether somebody watches PyTorch's operators: a compiler, a mode or a kind of tensor.

    Args:
        tensors: all that is computed from.
    """
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0:
        return True
    return not _PLAIN.issuperset(map(type, tensors))


def is_batched(tensors: Sequence[Tensor]) -> bool:
    """Whether a tensor stands for several, as those do that `vmap` gives a function.

    Args:
        tensors: all that is computed from.
    """
    # PyTorch has two kinds of them; what they share is that they have no memory to be read.
    return not all(torch._C._has_storage(tensor) for tensor in tensors)
