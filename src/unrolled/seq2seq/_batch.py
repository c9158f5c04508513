"""A batch of pairs, padded to tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ._corpus import Corpus
from ._ragged import Array
from ._special import BEGIN, END, PAD


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A batch of pairs; what is beyond the length of a row is PAD.

    Attributes:
        source: ids of the sources.
        source_lengths: symbols of each source.
        target_in: what the decoder reads: BEGIN, then the target.
        target_out: what it shall write: the target, then END.
        target_lengths: symbols of each row of `target_in` and `target_out`.
    """

    source: Int64[Tensor, "batch source_step"]
    source_lengths: Int64[Tensor, " batch"]
    target_in: Int64[Tensor, "batch target_step"]
    target_out: Int64[Tensor, "batch target_step"]
    target_lengths: Int64[Tensor, " batch"]

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.source_lengths)

    @property
    def tokens(self) -> int:
        """Symbols of the source and target tables, padding included: what it costs."""
        return self.source.numel() + self.target_out.numel()

    @classmethod
    def of(cls, corpus: Corpus, rows: Array) -> "Batch":
        """The batch of some pairs of a corpus.

        Args:
            corpus: where the pairs are.
            rows: indices of the pairs, in the order of the batch; at least one.
        """
        source_lengths = corpus.source.lengths(rows)
        target_lengths = corpus.target.lengths(rows)
        size, longest = len(rows), int(target_lengths.max())
        source = np.full((size, int(source_lengths.max())), PAD, np.int64)
        corpus.source.fill(source, rows)
        # One table holds BEGIN, the target and END; the two targets are views of it, shifted.
        target_in = np.full((size, longest + 1), PAD, np.int64)
        target_in[:, 0] = BEGIN
        corpus.target.fill(target_in[:, 1:], rows)
        target_out = np.full((size, longest + 1), PAD, np.int64)
        target_out[:, :-1] = target_in[:, 1:]
        target_out[np.arange(size), target_lengths] = END
        return cls(
            torch.from_numpy(source),
            torch.from_numpy(source_lengths),
            torch.from_numpy(target_in),
            torch.from_numpy(target_out),
            torch.from_numpy(target_lengths + 1),
        )

    @classmethod
    def of_sources(
        cls, sources: Sequence[Sequence[int]]
    ) -> tuple[Int64[Tensor, "batch source_step"], Int64[Tensor, " batch"]]:
        """A table of sources alone, and the length of each.

        Args:
            sources: ids of each source; at least one.
        """
        lengths = torch.tensor([len(ids) for ids in sources])
        table = torch.full((len(sources), int(lengths.max())), PAD)
        for row, ids in zip(table, sources, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        return table, lengths

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on a device.

        Args:
            device: where to.
            non_blocking: whether to go on while a pinned batch is being copied.
        """
        return Batch(*(part.to(device, non_blocking=non_blocking) for part in self._parts()))

    def pin_memory(self) -> "Batch":
        """The batch in pinned memory, from which copies to CUDA are faster."""
        return Batch(*(part.pin_memory() for part in self._parts()))

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return (
            self.source,
            self.source_lengths,
            self.target_in,
            self.target_out,
            self.target_lengths,
        )
