"""Where the reverse half is taken at the end of samples of several lengths, padding counts too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import diagnose
from unrolled.doctor import Report

LENGTHS = torch.tensor([5, 7, 3, 2])


class Last(nn.Module):
    """A BiLSTM whose output is taken at the last step, or at the last real one."""

    def __init__(self, take: str, *, packs: bool = False) -> None:
        super().__init__()
        self.take, self.packs = take, packs
        self.table = nn.Embedding(100, 6, padding_idx=0)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x: Tensor = self.table(ids)
        if self.packs:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            packed_output, (h_n, _) = self.lstm(packed)
            output = pad_packed_sequence(packed_output, batch_first=True)[0]
        else:
            output, (h_n, _) = self.lstm(x)
        if self.take == "final":
            return torch.cat([h_n[-2], h_n[-1]], dim=-1)
        return output[torch.arange(len(x)), -1 if self.take == "last" else lengths - 1]


def symbols(lengths: Tensor) -> Tensor:
    ids = torch.randint(1, 100, (4, 7), generator=torch.Generator().manual_seed(1))
    return ids * (torch.arange(7) < lengths[:, None])


def found(model: nn.Module, lengths: Tensor = LENGTHS) -> Report:
    return diagnose(model, symbols(lengths), lengths)


def test_the_last_step_is_padding_in_shorter_samples() -> None:
    (finding,) = found(Last("last")).findings
    assert finding.code == "M01"
    assert finding.evidence.text == (
        "the result takes output at step 6 of lstm; there the reverse half has read 1 of 7 symbols "
        "of sample 1, and of samples that end before that step padding alone."
    )
    assert finding.evidence.numbers == {"sample": 1, "step": 6, "steps_read": 1, "steps": 7}
    assert "(M10)" in finding.explanation


def test_no_sample_reaches_the_last_step() -> None:
    (finding,) = found(Last("last"), torch.tensor([5, 6, 3, 2])).findings
    assert "has read 0 of 6 symbols of sample 1, and of samples that end" in finding.evidence.text


def test_the_last_real_step_stands_after_padding_in_reverse() -> None:
    (finding,) = found(Last("at length - 1")).findings
    assert finding.code == "M02"
    assert finding.evidence.text.endswith(
        "1 of 7 symbols of sample 1, and of shorter samples their padding first."
    )


@pytest.mark.parametrize("take", ["last", "at length - 1"])
def test_the_repair_packs_where_padding_is_read(take: str) -> None:
    (finding,) = found(Last(take)).findings
    scope = {"torch": torch, "pack_padded_sequence": pack_padded_sequence, "lengths": LENGTHS}
    wrong, right = Last(take), Last("final", packs=True)
    right.load_state_dict(wrong.state_dict())
    ids = symbols(LENGTHS)
    scope |= {"lstm": wrong.lstm, "x": wrong.table(ids)}
    exec(finding.repair, scope)
    torch.testing.assert_close(scope["summary"], right(ids, LENGTHS))
    assert found(right).ok
    assert [one.code for one in found(Last("final")).findings] == ["M10"]


def test_nothing_is_packed_where_all_samples_are_as_long_or_packed_already() -> None:
    (even,) = found(Last("last"), torch.tensor([7, 7, 7, 7])).findings
    (packed,) = found(Last("at length - 1", packs=True)).findings
    for finding in (even, packed):
        assert "pack" not in finding.repair
        assert "M10" not in finding.explanation
    assert even.evidence.text.endswith("the reverse half has read 1 of 7 symbols.")
    assert packed.evidence.text.endswith("the reverse half has read 1 of 7 symbols of sample 1.")


def test_a_layer_without_a_name_for_code_is_called_so() -> None:
    class Numbered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.GRU(6, 5, bidirectional=True)])

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            result: Tensor = self.layers[0](x)[0][-1]
            return result

    (finding,) = diagnose(Numbered(), torch.randn(7, 4, 6), LENGTHS).findings
    assert finding.repair.splitlines()[:2] == [
        "packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)",
        "_, h_n = layer(packed)",
    ]


class Two(nn.Module):
    """Two layers, of which the second one's output is taken at the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.below = nn.GRU(6, 4, batch_first=True)
        self.above = nn.GRU(4, 5, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        result: Tensor = self.above(self.below(x)[0])[0][:, -1]
        return result


def test_padding_that_another_layer_reads_is_told_beside_it() -> None:
    report = diagnose(Two(), torch.randn(4, 7, 6), LENGTHS)
    assert [(one.code, one.module) for one in report.findings] == [
        ("M01", "above"),
        ("M10", "below"),
    ]
