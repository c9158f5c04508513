"""One example input: how it lies, and what of it is read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


@dataclass(frozen=True, eq=False)
class Entry:
    """A tensor that goes in: a sequence, or features without time."""

    leaf: int
    """Its place among the flattened arguments."""
    name: str
    kind: str
    """`"floats"`, `"ids"` or `"packed"`."""
    tensor: Tensor
    batch_dim: int | None
    time_dim: int | None
    packed: PackedSequence | None = None

    @property
    def batch(self) -> int:
        """How many samples."""
        if self.packed is not None:
            return int(self.packed.batch_sizes[0])
        return 1 if self.batch_dim is None else int(self.tensor.shape[self.batch_dim])

    @property
    def steps(self) -> int | None:
        """How many steps; None without time."""
        if self.packed is not None:
            return len(self.packed.batch_sizes)
        return None if self.time_dim is None else int(self.tensor.shape[self.time_dim])

    @property
    def order(self) -> Tensor:
        """(batch, step) places of a packed one, by row of its data."""
        if self.packed is None:
            raise RuntimeError("asked for the order of an input that is not packed")
        sizes = self.packed.batch_sizes.tolist()
        lanes = torch.cat([torch.arange(size) for size in sizes])
        steps = torch.cat([torch.full((size,), step) for step, size in enumerate(sizes)])
        if self.packed.sorted_indices is not None:
            lanes = self.packed.sorted_indices.cpu()[lanes]
        return torch.stack([lanes, steps], 1)

    def by_place(self, values: Tensor) -> Tensor:
        """Sizes of values shaped as the tensor, summed by (sample, step); one step without time.

        Args:
            values: such as a gradient.
        """
        amounts = values.detach().abs().double()
        if self.packed is not None:
            found = torch.zeros(self.batch, int(self.steps or 1), dtype=torch.float64)
            order = self.order
            found[order[:, 0], order[:, 1]] = amounts.reshape(len(amounts), -1).sum(1).cpu()
            return found
        if self.batch_dim is None:
            amounts, batch_dim = amounts.unsqueeze(0), 0
            time_dim = None if self.time_dim is None else self.time_dim + 1
        else:
            batch_dim, time_dim = self.batch_dim, self.time_dim
        if time_dim is None:
            return amounts.movedim(batch_dim, 0).unsqueeze(1).flatten(1).sum(1, keepdim=True)
        moved = amounts.movedim((batch_dim, time_dim), (0, 1))
        return moved.unsqueeze(2).flatten(2).sum(2)

    def ids(self) -> Tensor:
        """(batch, step) of ids."""
        if self.batch_dim is None:
            return self.tensor.unsqueeze(0)
        if self.time_dim is None:
            return self.tensor.unsqueeze(1)
        return self.tensor.movedim((self.batch_dim, self.time_dim), (0, 1))
