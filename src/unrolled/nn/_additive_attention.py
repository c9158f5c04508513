"""Attention by a small network over query and memory."""

from torch import Tensor, nn

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
        return read_memory(
            additive_scores(self.query(query), keys, self.energy.weight, mask), memory, mask
        )
