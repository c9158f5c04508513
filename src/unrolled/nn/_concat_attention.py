"""Attention by a small network over query and memory side by side."""

from torch import nn

from ._attention import (
    Attended,
    Keys,
    Mask,
    Memory,
    Query,
    ReadingSizes,
    additive_scores,
    attend,
    read_memory,
)
from ._checks import check_size


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

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is below 1.
    """

    def __init__(
        self, query_size: int, memory_size: int, attention_size: int | None = None
    ) -> None:
        super().__init__()
        self.query_size, self.memory_size = query_size, memory_size
        self.attention_size = query_size if attention_size is None else attention_size
        for name in ("query_size", "memory_size", "attention_size"):
            check_size(getattr(self, name), name)
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
        sizes = ReadingSizes(self.query_size, self.memory_size, self.attention_size)
        return attend(self, query, memory, mask, keys, sizes=sizes)

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        projected = nn.functional.linear(query, self.both.weight[:, : self.query_size])
        scores = additive_scores(projected, keys, self.energy.weight, mask)
        return read_memory(scores, memory, mask)
