"""Attention by the dot product of query and memory."""

from torch import nn

from ._attention import Attended, Keys, Mask, Memory, Query, ReadingSizes, attend, read_memory


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
        size = memory.shape[-1]
        return attend(self, query, memory, mask, keys, sizes=ReadingSizes(size, size, size))

    def read(self, query: Query, memory: Memory, mask: Mask, keys: Keys) -> Attended:
        """As `forward`, for keys at hand and a memory that is finite in its padding.

        Args:
            query: (batch, target_step, query).
            memory: (batch, source_step, memory).
            mask: `True` where a source step is real, (batch, source_step).
            keys: `project(memory)`.
        """
        return read_memory(query @ keys.transpose(1, 2), memory, mask)
