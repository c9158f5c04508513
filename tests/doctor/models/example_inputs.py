"""Example inputs: ids with 0 for padding, 1 for BEGIN and 2 for END, and float features."""

from __future__ import annotations

import torch
from torch import Tensor

PAD, BEGIN, END = 0, 1, 2


def ids(batch: int, steps: int, vocab: int, lengths: list[int] | None = None) -> Tensor:
    """(batch, steps); padding at the end where lengths are given."""
    drawn = torch.randint(3, vocab, (batch, steps))
    if lengths is not None:
        drawn[torch.arange(steps) >= torch.tensor(lengths)[:, None]] = PAD
    return drawn


def ended(batch: int, steps: int, vocab: int, lengths: list[int]) -> Tensor:
    """The same with END as the last real symbol."""
    drawn = ids(batch, steps, vocab, lengths)
    drawn[torch.arange(batch), torch.tensor(lengths) - 1] = END
    return drawn


def begun(batch: int, steps: int, vocab: int) -> Tensor:
    """Decoder inputs: BEGIN and then symbols."""
    drawn = ids(batch, steps, vocab)
    drawn[:, 0] = BEGIN
    return drawn


def left_padded(batch: int, steps: int, vocab: int, lengths: list[int]) -> Tensor:
    """(batch, steps); padding at the start."""
    return ids(batch, steps, vocab, lengths).flip(1)


def floats(batch: int, steps: int, size: int, lengths: list[int] | None = None) -> Tensor:
    """(batch, steps, size); zeros at the end where lengths are given."""
    drawn = torch.randn(batch, steps, size)
    if lengths is not None:
        drawn[torch.arange(steps) >= torch.tensor(lengths)[:, None]] = 0
    return drawn


def real(lengths: Tensor, steps: int) -> Tensor:
    """(batch, steps): which steps are real."""
    return torch.arange(steps) < lengths[:, None]
