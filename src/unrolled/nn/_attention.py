"""Attention: what a query reads from a memory."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Query = Float[Tensor, "batch target_step query"]
Memory = Float[Tensor, "batch source_step memory"]
Keys = Float[Tensor, "batch source_step key"]
Mask = Bool[Tensor, "batch source_step"]


class Attended(NamedTuple):
    """What a query read.

    Attributes:
        context: the memory, averaged with the weights, (batch, target_step, memory).
        weights: how much of each source step, (batch, target_step, source_step); each row sums to
            1, and a masked step has exactly 0.
    """

    context: Float[Tensor, "batch target_step memory"]
    weights: Float[Tensor, "batch target_step source_step"]


class DotAttention(nn.Module):
    """score(q, m) = q . m.

    Source: Luong et al. (2015), "Effective approaches to attention-based neural machine
    translation", section 3.1, "dot". The query must be as wide as the memory. Any number of
    queries is answered at once.
    """

    def project(self, memory: Memory) -> Memory:
        """The keys of a memory, to be computed once: here the memory itself.

        Args:
            memory: (batch, source_step, memory).
        """
        return memory

    def forward(
        self, query: Query, memory: Memory, mask: Mask, keys: Keys | None = None
    ) -> Attended:
        """Read the memory.

        Args:
            query: (batch, target_step, query), query as wide as the memory.
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            ValueError: the sizes do not fit each other.
        """
        _check(query, memory, mask, query_size=memory.shape[-1], memory_size=None)
        memory = _without_padding(memory, mask)
        scores = query @ (memory if keys is None else _without_padding(keys, mask)).transpose(1, 2)
        return _read(scores, memory, mask)


class GeneralAttention(nn.Module):
    """score(q, m) = q . (W m).

    Source: Luong et al. (2015), section 3.1, "general".

    Args:
        query_size: features of a query.
        memory_size: features of one step of the memory.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size
        self.key = nn.Linear(memory_size, query_size, bias=False)

    def project(self, memory: Memory) -> Keys:
        """The keys of a memory, W m, to be computed once.

        Args:
            memory: (batch, source_step, memory).
        """
        keys: Tensor = self.key(memory)
        return keys

    def forward(
        self, query: Query, memory: Memory, mask: Mask, keys: Keys | None = None
    ) -> Attended:
        """Read the memory.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            ValueError: the sizes do not fit the module or each other.
        """
        _check(query, memory, mask, self.query_size, self.memory_size)
        memory = _without_padding(memory, mask)
        keys = self.project(memory) if keys is None else _without_padding(keys, mask)
        return _read(query @ keys.transpose(1, 2), memory, mask)


class AdditiveAttention(nn.Module):
    """score(q, m) = v . tanh(W q + U m).

    Source: Bahdanau et al. (2015), "Neural machine translation by jointly learning to align and
    translate", appendix A.1.2.

    Args:
        query_size: features of a query.
        memory_size: features of one step of the memory.
        attention_size: features in which the two are compared; `query_size` when absent.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__()
        attention_size = query_size if attention_size is None else attention_size
        self.query_size, self.memory_size = query_size, memory_size
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(memory_size, attention_size, bias=False)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def project(self, memory: Memory) -> Keys:
        """The keys of a memory, U m, to be computed once.

        Args:
            memory: (batch, source_step, memory).
        """
        keys: Tensor = self.key(memory)
        return keys

    def forward(
        self, query: Query, memory: Memory, mask: Mask, keys: Keys | None = None
    ) -> Attended:
        """Read the memory.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            ValueError: the sizes do not fit the module or each other.
        """
        _check(query, memory, mask, self.query_size, self.memory_size)
        memory = _without_padding(memory, mask)
        keys = self.project(memory) if keys is None else _without_padding(keys, mask)
        scores = _additive_scores(self.query(query), keys, self.energy.weight)
        return _read(scores, memory, mask)


class ConcatAttention(nn.Module):
    """score(q, m) = v . tanh(W [q; m] + b).

    Source: Luong et al. (2015), section 3.1, "concat". W [q; m] is computed as W_q q + W_m m, so
    the memory's part is a key like that of the other attentions.

    Args:
        query_size: features of a query.
        memory_size: features of one step of the memory.
        attention_size: features in which the two are compared; `query_size` when absent.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__()
        attention_size = query_size if attention_size is None else attention_size
        self.query_size, self.memory_size = query_size, memory_size
        self.both = nn.Linear(query_size + memory_size, attention_size)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def project(self, memory: Memory) -> Keys:
        """The keys of a memory, W_m m + b, to be computed once.

        Args:
            memory: (batch, source_step, memory).
        """
        weight = self.both.weight[:, self.query_size :]
        return nn.functional.linear(memory, weight, self.both.bias)

    def forward(
        self, query: Query, memory: Memory, mask: Mask, keys: Keys | None = None
    ) -> Attended:
        """Read the memory.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            ValueError: the sizes do not fit the module or each other.
        """
        _check(query, memory, mask, self.query_size, self.memory_size)
        memory = _without_padding(memory, mask)
        keys = self.project(memory) if keys is None else _without_padding(keys, mask)
        projected = nn.functional.linear(query, self.both.weight[:, : self.query_size])
        return _read(_additive_scores(projected, keys, self.energy.weight), memory, mask)


def _additive_scores(query: Tensor, keys: Tensor, energy: Tensor) -> Tensor:
    """V . tanh(q + k) for every pair of a query and a key, in place to hold one temporary only."""
    sums = query.unsqueeze(2) + keys.unsqueeze(1)
    return (sums.tanh_() @ energy.squeeze(0)).squeeze(-1)


def _read(scores: Tensor, memory: Tensor, mask: Tensor) -> Attended:
    weights = scores.masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(dim=-1)
    return Attended(weights @ memory, weights)


def _without_padding(values: Tensor, mask: Tensor) -> Tensor:
    """0 in the padding, so that nothing that stands there, NaN included, is ever multiplied."""
    return values.masked_fill(~mask.unsqueeze(-1), 0.0)


def _check(
    query: Tensor, memory: Tensor, mask: Tensor, query_size: int, memory_size: int | None
) -> None:
    if query.shape[-1] != query_size:
        raise ValueError(
            f"the query has {query.shape[-1]} features, shape {tuple(query.shape)}; "
            f"this attention takes {query_size}."
        )
    if memory_size is not None and memory.shape[-1] != memory_size:
        raise ValueError(
            f"the memory has {memory.shape[-1]} features, shape {tuple(memory.shape)}; "
            f"this attention takes {memory_size}."
        )
    if query.shape[0] != memory.shape[0] or mask.shape != memory.shape[:2]:
        raise ValueError(
            f"query {tuple(query.shape)}, memory {tuple(memory.shape)} and mask "
            f"{tuple(mask.shape)} do not belong together; they must be (batch, target_step, query),"
            " (batch, source_step, memory) and (batch, source_step)."
        )
