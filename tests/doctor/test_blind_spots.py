"""What results and examples cannot show is said once, and what needs it is not called sound."""

from collections.abc import Callable

import pytest
import torch
from any_model import AnyModel
from torch import Tensor, nn

from unrolled import diagnose
from unrolled.doctor import Report

X = torch.randn(4, 7, 3)
READING = {"M01", "M02", "M03", "M05", "M06", "M12", "M13", "M15", "M16", "M18", "M24", "M29"}


def reasons(report: Report) -> dict[str, str]:
    return {unrun.code: unrun.why for unrun in report.not_run}


@pytest.mark.parametrize(
    ("become", "said"),
    [
        (lambda y: None, "the model gave None, in which there is no number to follow"),
        (lambda y: "three", "the model gave an object of type str, in which there is no number"),
        (lambda y: 3, "the model gave an object of type int, in which"),
        (lambda y: {"text": "no", "none": None}, "the model gave an object of type dict, in which"),
        (lambda y: (part for part in y), "the model gave an object of type generator, in which"),
        (lambda y: y.argmax(-1), "the model gave a tensor of torch.int64, of the shape (4, 7), in"),
        (lambda y: y.detach().numpy(), "the model gave an object of type ndarray, in which"),
        (lambda y: y[:0], "the model gave a tensor of torch.float64, of the shape (0, 7, 2), in"),
        (lambda y: y.detach(), "numbers that carry no gradient, as after argmax or detach"),
        (lambda y: y.mean(), "one number for the whole batch, in which samples cannot be told"),
    ],
)
def test_a_result_in_which_no_state_can_be_followed(
    become: Callable[[Tensor], object], said: str
) -> None:
    report = diagnose(AnyModel(become), X)
    why = reasons(report)
    assert set(why) >= READING
    assert len({why[code] for code in READING}) == 1
    assert said in why["M01"]
    assert why["M01"].endswith("let it return what it makes of the states of each sample.")
    assert {"M07", "M08", "M09", "M19", "M20"} <= set(report.checks_run)  # of the layer alone
    assert " ".join(str(report).split()).count(said) == 1


@pytest.mark.parametrize(
    "become",
    [
        lambda y: y[:, -1].to_sparse(),
        lambda y: torch.complex(y, y)[:, -1],
        lambda y: {"answer": [None, y[:, -1]], "text": "no"},
    ],
)
def test_numbers_in_any_guise_are_followed(become: Callable[[Tensor], object]) -> None:
    report = diagnose(AnyModel(become, both=True), X)
    assert [finding.code for finding in report.findings] == ["M01"]


class Decoder(nn.Module):
    """The states are read by another layer, so that the result matters less."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(3, 4, batch_first=True)
        self.decoder = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h_n, _ = self.encoder(x)[1]
        return self.decoder(x, (h_n, h_n))[0].argmax(-1)


def test_what_a_layer_reads_is_looked_at_whatever_the_result() -> None:
    report = diagnose(Decoder(), X)
    assert [finding.code for finding in report.findings] == ["M16"]
    assert any("what its layers read was looked at" in line for line in report.assumptions)


@pytest.mark.parametrize("cell", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("batch_first", [True, False])
def test_an_example_without_a_batch(cell: type[nn.RNNBase], batch_first: bool) -> None:
    report = diagnose(cell(3, 4, batch_first=batch_first), X[0])
    why = reasons(report)
    for code in ("M03", "M04", "M07", "M26"):
        assert "no batch, only the steps of one sequence; give a batch of three" in why[code]
    assert any("its 7 rows are the steps of one sequence" in line for line in report.assumptions)
    assert report.ok


def test_symbols_without_a_batch() -> None:
    model = nn.Sequential(nn.Embedding(9, 3), nn.GRU(3, 4))
    report = diagnose(model, torch.randint(0, 9, (7,)))
    assert "give a batch of at least two" in reasons(report)["M03"]
    assert any("its 7 rows are the steps of one sequence" in line for line in report.assumptions)


def test_features_are_no_sequence() -> None:
    class FromFeatures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.unsqueeze(1).expand(-1, 5, -1))[0]

    report = diagnose(FromFeatures(), torch.randn(4, 3))
    assert "M03" in report.checks_run
