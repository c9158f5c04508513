"""Attention: what a query reads from a memory.

Every attention here has three methods. `forward` is the whole of it. A decoder that asks one memory
many times calls `project` once and `read` at each step instead, so that no step does again what was
done before it.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ._attended import Attended, check_reading, read_memory, without_padding

Query = Float[Tensor, "batch target_step query"]
Memory = Float[Tensor, "batch source_step memory"]
Keys = Float[Tensor, "batch source_step key"]
Mask = Bool[Tensor, "batch source_step"]


class DotAttention(nn.Module):
    """The query times each step of the memory.

        score(q, m) = q . m
        weights     = softmax of the scores over the real source steps
        context     = sum of weights * m

    Any number of queries is answered at once. Source: Luong et al. (2015), "Effective approaches
    to attention-based neural machine translation", section 3.1, equation 8, "dot".
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
        """Read the memory; what stands in its padding never matters.

        Args:
            query: (batch, target_step, query), as wide as the memory.
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            TypeError: the mask is not of booleans.
            ValueError: the sizes do not fit each other.
        """
        check_reading(
            query,
            memory,
            mask,
            keys,
            query_size=memory.shape[-1],
            memory_size=memory.shape[-1],
            key_size=memory.shape[-1],
        )
        memory = without_padding(memory, mask)
        keys = self.project(memory) if keys is None else without_padding(keys, mask)
        return self.read(query, memory, mask, keys)

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        return read_memory(query @ keys.transpose(1, 2), memory, mask)


class GeneralAttention(nn.Module):
    """The query times a linear image of each step of the memory.

        score(q, m) = q . (W m)
        weights     = softmax of the scores over the real source steps
        context     = sum of weights * m

    Any number of queries is answered at once. Source: Luong et al. (2015), section 3.1,
    equation 8, "general".

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
        """Read the memory; what stands in its padding never matters.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            TypeError: the mask is not of booleans.
            ValueError: the sizes do not fit the module or each other.
        """
        check_reading(
            query,
            memory,
            mask,
            keys,
            query_size=self.query_size,
            memory_size=self.memory_size,
            key_size=self.query_size,
        )
        memory = without_padding(memory, mask)
        keys = self.project(memory) if keys is None else without_padding(keys, mask)
        return self.read(query, memory, mask, keys)

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        return read_memory(query @ keys.transpose(1, 2), memory, mask)


class AdditiveAttention(nn.Module):
    """A small network over the query and each step of the memory.

        score(q, m) = v . tanh(W q + U m)
        weights     = softmax of the scores over the real source steps
        context     = sum of weights * m

    Any number of queries is answered at once. Source: Bahdanau et al. (2015), "Neural machine
    translation by jointly learning to align and translate", appendix A.1.2.

    Args:
        query_size: features of a query.
        memory_size: features of one step of the memory.
        attention_size: features in which the two are compared; `query_size` when absent.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size
        self.attention_size = query_size if attention_size is None else attention_size
        self.query = nn.Linear(query_size, self.attention_size, bias=False)
        self.key = nn.Linear(memory_size, self.attention_size, bias=False)
        self.energy = nn.Linear(self.attention_size, 1, bias=False)

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
        """Read the memory; what stands in its padding never matters.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            TypeError: the mask is not of booleans.
            ValueError: the sizes do not fit the module or each other.
        """
        check_reading(
            query,
            memory,
            mask,
            keys,
            query_size=self.query_size,
            memory_size=self.memory_size,
            key_size=self.attention_size,
        )
        memory = without_padding(memory, mask)
        keys = self.project(memory) if keys is None else without_padding(keys, mask)
        return self.read(query, memory, mask, keys)

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        return read_memory(
            _additive_scores(self.query(query), keys, self.energy.weight), memory, mask
        )


class ConcatAttention(nn.Module):
    """A small network over the query and each step of the memory, side by side.

        score(q, m) = v . tanh(W [q; m] + b)
        weights     = softmax of the scores over the real source steps
        context     = sum of weights * m

    W [q; m] is computed as W_q q + W_m m, so the memory's part is a key like that of the other
    attentions. Any number of queries is answered at once. Source: Luong et al. (2015), section
    3.1, equation 8, "concat", there without b.

    Args:
        query_size: features of a query.
        memory_size: features of one step of the memory.
        attention_size: features in which the two are compared; `query_size` when absent.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size
        self.attention_size = query_size if attention_size is None else attention_size
        self.both = nn.Linear(query_size + memory_size, self.attention_size)
        self.energy = nn.Linear(self.attention_size, 1, bias=False)

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
        """Read the memory; what stands in its padding never matters.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory), most often an encoder's `output`.
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`, where it is at hand.

        Raises:
            TypeError: the mask is not of booleans.
            ValueError: the sizes do not fit the module or each other.
        """
        check_reading(
            query,
            memory,
            mask,
            keys,
            query_size=self.query_size,
            memory_size=self.memory_size,
            key_size=self.attention_size,
        )
        memory = without_padding(memory, mask)
        keys = self.project(memory) if keys is None else without_padding(keys, mask)
        return self.read(query, memory, mask, keys)

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        projected = nn.functional.linear(query, self.both.weight[:, : self.query_size])
        scores = _additive_scores(projected, keys, self.energy.weight)
        return read_memory(scores, memory, mask)


def _additive_scores(query: Tensor, keys: Tensor, energy: Tensor) -> Tensor:
    """V . tanh(q + k) for every pair of a query and a key, in place to hold one temporary only."""
    sums = query.unsqueeze(2) + keys.unsqueeze(1)
    return torch.tanh_(sums) @ energy.squeeze(0)
