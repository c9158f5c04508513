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


class Named(nn.Module):
    """A reading that is told the lengths, and makes nothing of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(5, 6, batch_first=True)

    def forward(self, x: Tensor, **told: object) -> Tensor:
        result: Tensor = self.layer(x)[1][-1]
        return result


@pytest.mark.parametrize("name", ["lengths", "length", "x_len", "lens", "srcLengths"])
@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([7, 5, 3], "holds 3 numbers, but the examples hold 4 samples; give one for each"),
        ([9, 5, 3, 2], r"is \[9, 5, 3, 2\], but the examples have 7 steps; each length must be"),
        ([7, 5, 3, 0], r"is \[7, 5, 3, 0\], but the examples have 7 steps"),
    ],
)
def test_an_argument_of_that_name_is_refused_likewise(
    name: str, lengths: list[int], said: str
) -> None:
    with pytest.raises(UsageError, match=f"^{name} {said}"):
        diagnose(
            Named(), torch.randn(4, 7, 5), keywords={name: torch.tensor(lengths)}, checks="M10"
        )


@pytest.mark.parametrize("name", ["speaker", "n", "tokens", "length_bucket"])
def test_numbers_of_another_name_are_left_to_the_model(name: str) -> None:
    numbers = torch.tensor([9, 5, 3])
    diagnose(Named(), torch.randn(4, 7, 5), keywords={name: numbers}, checks="M10")


def test_lengths_of_a_second_sequence_may_be_longer() -> None:
    told = {"target": torch.randn(4, 9, 5), "target_lengths": torch.tensor([9, 8, 3, 2])}
    diagnose(Named(), torch.randn(4, 7, 5), keywords=told, checks="M10")


def test_lengths_of_time_major_samples_fit_their_batch() -> None:
    told = {"lengths": torch.tensor([7, 5, 3, 2])}
    diagnose(Named(), torch.randn(7, 4, 5), keywords=told, checks="M10")
