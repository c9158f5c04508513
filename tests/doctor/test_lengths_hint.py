"""Lengths that the examples cannot have are refused."""

import pytest
import torch
from torch import Tensor, nn

from unrolled import diagnose
from unrolled.errors import UsageError


class Conditioned(nn.Module):
    """A reading whose start depends on who speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.speaker = nn.Embedding(9, 6)
        self.layer = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        _, h_n = self.layer(x, self.speaker(speaker).unsqueeze(0))
        result: Tensor = self.head(h_n[-1])
        return result


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([7, 5], "holds 2 numbers, but the examples hold 4 samples"),
        ([7, 5, 3, -2], r"is \[7, 5, 3, -2\], but the examples have 7 steps"),
        ([70, 5, 3, 2], "each length must be from 1 to 7"),
        ("7,5,3,2", "is '7,5,3,2'; give one whole number for each sample"),
        ([7.0, 5.0, 3.0, 2.0], "give one whole number for each sample"),
    ],
)
def test_lengths_that_cannot_be_are_refused(lengths: object, said: str) -> None:
    model = Conditioned()
    with pytest.raises(UsageError, match=said):
        diagnose(model, torch.randn(4, 7, 5), torch.tensor([3, 1, 5, 2]), lengths=lengths)
