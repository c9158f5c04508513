"""Reading a memory with the scores of its steps."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Attended(NamedTuple):
    """What a query read.

    Attributes:
        context: the memory, averaged with the weights, (batch, target_step, memory).
        weights: how much of each source step, (batch, target_step, source_step); each row sums to
            1, and a masked step has exactly 0. Where all steps are masked there is nothing to
            read: weights and context are 0.
    """

    context: Float[Tensor, "batch target_step memory"]
    weights: Float[Tensor, "batch target_step source_step"]


def read_memory(
    scores: Float[Tensor, "batch target_step source_step"],
    memory: Float[Tensor, "batch source_step memory"],
    mask: Bool[Tensor, "batch source_step"],
) -> Attended:
    """Average a memory with the softmax of scores over its real steps.

    Args:
        scores: how well each source step answers each query.
        memory: finite in its padding.
        mask: `True` where a source step is real.
    """
    padding = ~mask.unsqueeze(1)
    # The least number and not minus infinity, which turns a fully masked row into NaN; there the
    # softmax is even, and the second fill makes it 0.
    masked = scores.masked_fill(padding, torch.finfo(scores.dtype).min)
    weights = masked.softmax(dim=-1).masked_fill(padding, 0.0)
    return Attended(weights @ memory, weights)


def without_padding(
    memory: Float[Tensor, "batch source_step memory"], mask: Bool[Tensor, "batch source_step"]
) -> Float[Tensor, "batch source_step memory"]:
    """0 in the padding, so that nothing that stands there, NaN included, is ever multiplied.

    Args:
        memory: anything with a row for each source step.
        mask: `True` where a source step is real.
    """
    return memory.masked_fill(~mask.unsqueeze(-1), 0.0)


def check_reading(
    query: Tensor,
    memory: Tensor,
    mask: Tensor,
    keys: Tensor | None,
    *,
    query_size: int,
    memory_size: int,
    key_size: int,
) -> None:
    """Refuse what does not fit together.

    Args:
        query: what asks.
        memory: what is read.
        mask: which of its steps are real.
        keys: the projected memory, if it is at hand.
        query_size: features the query must have.
        memory_size: features the memory must have.
        key_size: features the keys must have.

    Raises:
        TypeError: the mask is not of booleans.
        ValueError: the sizes do not fit.
    """
    for name, tensor, size in (
        ("query", query, query_size),
        ("memory", memory, memory_size),
        ("keys", keys, key_size),
    ):
        if tensor is not None and (tensor.dim() != 3 or tensor.shape[-1] != size):
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}; this attention takes "
                f"(batch, step, {size})."
            )
    if mask.dtype != torch.bool:
        raise TypeError(
            f"mask is of {mask.dtype}; it must be of torch.bool, True where a source step is real."
        )
    same_steps = keys is None or keys.shape[:2] == memory.shape[:2]
    if query.shape[0] != memory.shape[0] or mask.shape != memory.shape[:2] or not same_steps:
        of_keys = "" if keys is None else f", keys {tuple(keys.shape)}"
        raise ValueError(
            f"query {tuple(query.shape)}, memory {tuple(memory.shape)}{of_keys} and mask "
            f"{tuple(mask.shape)} do not belong together; they must be (batch, target_step, query),"
            " (batch, source_step, memory or key) and (batch, source_step)."
        )
