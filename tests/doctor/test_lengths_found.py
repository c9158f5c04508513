"""Which arguments are taken for lengths, and which symbols for padding."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from unrolled import diagnose
from unrolled.doctor._reading import says_lengths


@pytest.mark.parametrize(
    "name",
    ["lengths", "x_len", "srcLengths", "text_lens", "seqlen", "n", "num_frames", "sizes", "xlens"],
)
def test_names_of_lengths(name: str) -> None:
    assert says_lengths(name)


@pytest.mark.parametrize("name", ["speaker", "label", "position", "y", "style_id", "token", ""])
def test_names_of_others(name: str) -> None:
    assert not says_lengths(name)


class Reading(nn.Module):
    """The last state, of all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.speakers = nn.Embedding(9, 6)
        self.layer = nn.GRU(5, 6, batch_first=True)

    def read(self, x: Tensor, start: Tensor | None = None) -> Tensor:
        result: Tensor = self.layer(x, start)[1][-1]
        return result


class BySpeaker(Reading):
    def forward(self, x: Tensor, who: Tensor) -> Tensor:
        return self.read(x, self.speakers(who).unsqueeze(0))


class ByName(Reading):
    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.read(x)


class ByPack(Reading):
    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, ends, batch_first=True, enforce_sorted=False)
        return torch.cat([self.layer(packed)[1][-1], self.read(x)], 1)


class ByMask(Reading):
    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        mask = torch.arange(x.size(1)) < ends.unsqueeze(1)
        return self.layer(x)[0].masked_fill(~mask.unsqueeze(-1), 0).sum(1) + self.read(x)


class ByGather(Reading):
    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        return self.layer(x)[0][torch.arange(len(x)), ends - 1]


def taken(model: nn.Module, numbers: list[int]) -> list[str]:
    report = diagnose(model, torch.randn(4, 7, 5), torch.tensor(numbers))
    return [line for line in report.assumptions if "taken for the lengths" in line]


@pytest.mark.parametrize("kind", [ByName, ByPack, ByMask, ByGather])
@pytest.mark.parametrize("numbers", [[3, 1, 5, 2], [3, 7, 5, 2]])
def test_numbers_are_lengths_by_their_name_or_their_use(
    kind: type[nn.Module], numbers: list[int]
) -> None:
    assert taken(kind(), numbers) == ["input 1 was taken for the lengths."]


@pytest.mark.parametrize("numbers", [[3, 1, 5, 2], [3, 7, 5, 2]])
def test_a_speaker_is_no_length(numbers: list[int]) -> None:
    assert taken(BySpeaker(), numbers) == []


def test_padding_is_read_where_the_lengths_are_known_by_their_name_alone() -> None:
    report = diagnose(ByName(), torch.randn(4, 7, 5), torch.tensor([3, 1, 5, 2]))
    assert [finding.code for finding in report.findings] == ["M10"]


class Letters(nn.Module):
    def __init__(self, padding: int | None, *, looks: bool = False) -> None:
        super().__init__()
        self.looks = looks
        self.table = nn.Embedding(5, 4, padding_idx=padding)
        self.layer = nn.GRU(4, 5, batch_first=True)

    def forward(self, letters: Tensor) -> Tensor:
        result: Tensor = self.layer(self.table(letters))[1][-1]
        return result * (letters != 0).any(1, keepdim=True) if self.looks else result


ONE_ZERO = torch.tensor([[1, 2, 3, 4], [2, 2, 1, 0], [4, 3, 2, 1]])
TWO_ZEROS = torch.tensor([[1, 2, 3, 4], [2, 2, 0, 0], [4, 3, 2, 1]])


def test_one_zero_is_a_symbol_and_that_is_said() -> None:
    report = diagnose(Letters(None), ONE_ZERO)
    assert report.findings == ()
    assert any("one 0" in line and "give lengths" in line for line in report.assumptions)


@pytest.mark.parametrize(
    ("model", "letters"),
    [
        (Letters(0), ONE_ZERO),
        (Letters(None, looks=True), ONE_ZERO),
        (Letters(None), TWO_ZEROS),
    ],
    ids=["padding_idx", "looked for", "more than one"],
)
def test_zeros_are_padding_where_more_says_so(model: nn.Module, letters: Tensor) -> None:
    assert [finding.code for finding in diagnose(model, letters).findings] == ["M10"]
