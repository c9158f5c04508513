"""Pairs side by side, padded."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ._corpus import Corpus, Side
from ._special import BEGIN, END, PAD


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What a model trains on in one step; int64 tensors.

    Attributes:
        source: source ids, PAD behind, (batch, source_step).
        source_lengths: real symbols of each source, (batch,).
        target_in: BEGIN and the target ids, PAD behind, (batch, target_step).
        target_out: the target ids and END, PAD behind, (batch, target_step).
        target_lengths: real steps of each target, BEGIN or END included, (batch,).
    """

    source: Tensor
    source_lengths: Tensor
    target_in: Tensor
    target_out: Tensor
    target_lengths: Tensor

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.source_lengths)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device.

        Args:
            device: where to.
            non_blocking: whether the copy may overlap with computation.
        """
        return Batch(
            *(getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self))
        )

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory, from which copies to a GPU may overlap."""
        return Batch(*(getattr(self, f.name).pin_memory() for f in fields(self)))

    @classmethod
    def of(cls, corpus: Corpus, indices: npt.NDArray[np.integer]) -> "Batch":
        """The batch of some pairs of a corpus.

        Args:
            corpus: where they are.
            indices: which, in order.
        """
        source, source_lengths = _padded(corpus.source, indices)
        target, target_lengths = _padded(corpus.target, indices)
        rows, steps = target.shape
        target_in = np.full((rows, steps + 1), PAD, np.int64)
        target_in[:, 0] = BEGIN
        target_in[:, 1:] = target
        target_out = np.full((rows, steps + 1), PAD, np.int64)
        target_out[:, :-1] = target
        target_out[np.arange(rows), target_lengths] = END
        arrays = (source, source_lengths, target_in, target_out, target_lengths + 1)
        return cls(*(torch.from_numpy(array) for array in arrays))

    @classmethod
    def of_sources(cls, sources: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Sources alone, padded, and their lengths.

        Args:
            sources: ids of each source.
        """
        lengths = torch.tensor([len(ids) for ids in sources])
        padded = torch.full((len(sources), int(lengths.max())), PAD)
        for row, ids in enumerate(sources):
            padded[row, : len(ids)] = torch.tensor(ids)
        return padded, lengths


def _padded(
    side: Side, indices: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    begins = side.offsets[indices]
    lengths = side.offsets[indices + 1] - begins
    steps = np.arange(int(lengths.max()))
    real = steps[None, :] < lengths[:, None]
    places = np.where(real, begins[:, None] + steps[None, :], begins[:, None])
    return np.where(real, side.ids[places], PAD).astype(np.int64), np.asarray(lengths)
