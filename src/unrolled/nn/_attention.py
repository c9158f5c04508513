"""What every attention has in common."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..kernels import additive_scores as compiled_scores
from ._engine import may_call_kernels

Query = Float[Tensor, "batch target_step query"]
Memory = Float[Tensor, "batch source_step memory"]
Keys = Float[Tensor, "batch source_step key"]
Mask = Bool[Tensor, "batch source_step"]
AttentionScores = Float[Tensor, "batch target_step source_step"]


class Attended(NamedTuple):
    """What a query read.

    Attributes:
        context: the memory, averaged with the weights, (batch, target_step, memory).
        weights: how much of each source step, (batch, target_step, source_step); each row sums to
            1, and a masked step has exactly 0. Where all steps are masked there is nothing to
            read: weights and context are 0.
    """

    context: Memory
    weights: AttentionScores


@runtime_checkable
class Attention(Protocol):
    """What a query reads from a memory: the attentions here, or a module with these two methods.

    A decoder that asks one memory many times calls `project` once and `read` at each step, so that
    no step does again what was done before it.
    """

    def project(self, memory: Tensor) -> Tensor:
        """The keys of a memory, to be computed once, each from its own step alone.

        Args:
            memory: (batch, source_step, memory).
        """

    def read(self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor) -> Attended:
        """Read a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """


class ReadingSizes(NamedTuple):
    """Features that an attention's query, memory and keys must have."""

    query: int
    memory: int
    keys: int


def attend(
    attention: Attention,
    query: Tensor,
    memory: Tensor,
    mask: Tensor,
    keys: Tensor | None,
    *,
    sizes: ReadingSizes,
) -> Attended:
    """Check, project and read in one; what stands in the padding never matters.

    Args:
        attention: who reads.
        query: what asks.
        memory: what is read.
        mask: which of its steps are real.
        keys: the projected memory, where it is at hand.
        sizes: what the attention takes.

    Raises:
        TypeError: the mask is not of booleans.
        ValueError: the sizes do not fit.
    """
    _check(query, memory, mask, keys, sizes)
    memory = _without_padding(memory, mask)
    keys = attention.project(memory) if keys is None else _without_padding(keys, mask)
    return attention.read(query, memory, mask, keys)


def read_memory(scores: AttentionScores, memory: Memory, mask: Mask) -> Attended:
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


def additive_scores(
    query: Float[Tensor, "batch target_step key"],
    keys: Keys,
    energy: Float[Tensor, "1 key"],
    mask: Mask,
) -> AttentionScores:
    """V . tanh(q + k) for every pair of a query and a key; anything where no source step is real.

    Args:
        query: the projected queries.
        keys: the projected memory.
        energy: v.
        mask: `True` where a source step is real.
    """
    tensors = (query, keys, energy)
    if may_call_kernels(tensors):
        scores = query.new_empty(*query.shape[:2], keys.shape[1])
        compiled_scores(
            query.detach().contiguous(),
            keys.detach().contiguous(),
            mask.contiguous(),
            energy.detach().reshape(-1),
            scores,
            torch.get_num_threads(),
        )
        return scores
    sums = query.unsqueeze(2) + keys.unsqueeze(1)  # in place, to hold one temporary only
    return torch.tanh_(sums) @ energy.squeeze(0)


def _without_padding(memory: Tensor, mask: Tensor) -> Tensor:
    """0 in the padding, so that nothing that stands there, NaN included, is ever multiplied."""
    return memory.masked_fill(~mask.unsqueeze(-1), 0.0)


def _check(
    query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None, sizes: ReadingSizes
) -> None:
    for name, tensor, size in (
        ("query", query, sizes.query),
        ("memory", memory, sizes.memory),
        ("keys", keys, sizes.keys),
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
