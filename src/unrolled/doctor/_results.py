"""What a model gave: the numbers in it, and a word for it where there are none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.utils import _pytree as pytree


def tensors_of(result: Any) -> list[Tensor]:
    """The float tensors in what a model gave, each dense and of real numbers.

    Infinite ones among finite ones, as where scores are masked, hold nothing: they come as zeros
    that were made of nothing.

    Args:
        result: a tensor, a pack, or anything that holds some.
    """
    found: list[Tensor] = []
    for leaf in _leaves(result):
        if isinstance(leaf, PackedSequence):
            found += _floats(pad_packed_sequence(leaf, batch_first=True)[0])
        elif isinstance(leaf, Tensor):
            found += _floats(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, (nn.Module, type)):
            for value in vars(leaf).values():
                found += _floats(value) if isinstance(value, Tensor) else []
    return found


def described(result: Any) -> str:
    """What a result is, for a sentence: `"None"`, or `"an object of type str"`.

    Args:
        result: of a model.
    """
    if result is None:
        return "None"
    if isinstance(result, Tensor):
        return f"a tensor of {result.dtype}, of the shape {tuple(result.shape)}"
    return f"an object of type {type(result).__name__}"


def _leaves(result: Any) -> list[Any]:
    try:
        return pytree.tree_leaves(result, is_leaf=lambda value: isinstance(value, PackedSequence))
    except RecursionError:  # it holds itself, or others a thousand deep
        return []


def _floats(tensor: Tensor) -> list[Tensor]:
    """The tensor as one of floats, dense; none where it holds no floats or no numbers at all."""
    if tensor.is_meta or tensor.is_quantized:
        return []
    if tensor.is_nested:
        tensor = torch.nested.to_padded_tensor(tensor, 0.0)
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return [_without_infinite(tensor)] if tensor.is_floating_point() else []


def _without_infinite(tensor: Tensor) -> Tensor:
    infinite = tensor.isinf()
    if not bool(infinite.any()) or bool(infinite.all()):
        return tensor
    return tensor.masked_fill(infinite, 0.0)
