"""Models that cannot be run, or not as they are: a sentence, and the checks that need no run."""

import copy
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from any_model import AnyModel
from torch import Tensor, nn

import unrolled
from unrolled import diagnose

X = torch.randn(4, 7, 3)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript and torch.compile warn of themselves
        yield


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.LazyLinear(3)
        self.layer = nn.GRU(3, 4, batch_first=True, dropout=0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.widen(x))[0]


class NoEvaluation(AnyModel):
    def eval(self) -> "NoEvaluation":
        raise RuntimeError("no evaluation here")


class Quantised(nn.Module):
    """A small model, its layer made smaller by PyTorch or by the package."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.layer: nn.Module = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.LSTM(3, 4)), {nn.LSTM}, dtype=torch.qint8
        )[0]
        if own:
            self.layer = unrolled.nn.GRU(3, 4).quantize("int8")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.layer(x)[0]
        return output


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def raises_unspeakable(_: Tensor) -> None:
    raise UnspeakableError


def leaves(_: Tensor) -> None:
    sys.exit(3)


def long_winded(_: Tensor) -> None:
    raise NotImplementedError("no kernel " * 200)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Lazy, "widen.weight has no shape yet, as in lazy modules before their first call"),
        (lambda: torch.jit.script(nn.GRU(3, 4)), r"was made by TorchScript \(torch.jit\)"),
        (lambda: torch.jit.trace(AnyModel(), X), "give the Python module that it was made of"),
        (lambda: AnyModel().to("meta"), "layer.weight_ih_l0 is on the meta device"),
        (lambda: Quantised(own=False), "layer is a quantised LSTM, inside which no state can be"),
        (lambda: Quantised(own=True), "layer is a quantised QuantizedLayer, .* before it was quan"),
        (
            lambda: AnyModel(raises_unspeakable),
            "^the model raised UnspeakableError; give the inputs",
        ),
        (lambda: AnyModel(lambda x: x * torch.nan), "gave numbers that are not finite"),
        (lambda: AnyModel(lambda x: x - torch.inf), "gave numbers that are not finite"),
        (NoEvaluation, r"evaluation and torch.float64 \(RuntimeError: no evaluation here\)"),
        (lambda: AnyModel(leaves), "the model raised SystemExit: 3; give the inputs"),
        (lambda: AnyModel(long_winded), r"NotImplementedError: no kernel [a-z ]{150,230} …; give"),
    ],
)
def test_one_sentence(build: Callable[[], nn.Module], said: str) -> None:
    report = diagnose(build(), X)
    assert not report.ok
    assert not report.has_looked
    assert len({unrun.why for unrun in report.not_run}) == 1
    assert re.search(said, report.not_run[0].why)
    assert report.not_run[0].why.endswith(".")
    assert report.checks_run == ("M27",)


def test_what_needs_no_run_is_found() -> None:
    assert [finding.code for finding in diagnose(Lazy(), X).findings] == ["M27"]


def test_a_part_of_torchscript_is_run_as_it_is() -> None:
    model = AnyModel(lambda logits: logits[:, -1], both=True)
    model.head = torch.jit.script(model.head)
    assert [finding.code for finding in diagnose(model, X).findings] == ["M01"]


class Compiled(nn.Module):
    """Parts compiled in each of the ways that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.layer: Any = torch.compile(
            nn.GRU(3, 4, batch_first=True, bidirectional=True), backend="eager"
        )
        self.head = nn.Linear(8, 2)
        self.head.compile(backend="eager")

    def forward(self, x: Tensor) -> Tensor:
        return scaled(self.head(self.layer(x)[0][:, -1]))


@torch.compile(backend="eager")
def scaled(x: Tensor) -> Tensor:
    return x * 2


def test_compiled_models_are_looked_into() -> None:
    model = Compiled()
    for given in (model, torch.compile(model, backend="eager")):
        report = diagnose(given, X)
        assert report.model == "Compiled"
        assert [(finding.code, finding.module) for finding in report.findings] == [("M01", "layer")]
        assert {unrun.code for unrun in report.not_run} == {"M10", "M11", "M23", "M25", "M28"}
    assert hasattr(model.layer, "_orig_mod")  # the model itself stays compiled


@torch.inference_mode()
def made_in_inference() -> tuple[nn.Module, Tensor]:
    return AnyModel(lambda logits: logits[:, -1], both=True), torch.randn(4, 7, 3)


def test_weights_and_examples_made_in_inference_mode() -> None:
    model, x = made_in_inference()
    assert [finding.code for finding in diagnose(model, x).findings] == ["M01"]
    with torch.inference_mode():
        assert [finding.code for finding in diagnose(model, x).findings] == ["M01"]
    with torch.no_grad():
        assert [finding.code for finding in diagnose(model, x).findings] == ["M01"]
    assert all(parameter.is_inference() for parameter in model.parameters())


class CopiesItself(AnyModel):
    def __deepcopy__(self, memo: object) -> "CopiesItself":
        return self


def test_a_copy_that_is_the_model_itself_is_none() -> None:
    model = CopiesItself().train()
    before = copy.copy(dict(model.state_dict()))
    report = diagnose(model, X)
    assert any("its copy shares parts with it" in line for line in report.assumptions)
    assert model.training
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, before[name])


def test_a_list_that_holds_itself() -> None:
    model = AnyModel()
    model.kept = kept = []  # type: ignore[assignment,var-annotated]
    kept.append(kept)
    assert diagnose(model, X).ok


def nested(x: Any) -> Any:
    for _ in range(3000):
        x = [x]
    return x


def round_about(x: Tensor) -> list[Any]:
    kept: list[Any] = [x]
    kept.append(kept)
    return kept


@pytest.mark.parametrize("endless", [nested, round_about])
def test_results_and_examples_without_end(endless: Callable[[Any], Any]) -> None:
    report = diagnose(AnyModel(endless), X)
    whys = {unrun.why for unrun in report.not_run}
    assert any("an object of type list, in which there is no number to follow" in w for w in whys)
    with pytest.raises(unrolled.errors.UsageError, match="input 1 holds itself, or more than"):
        diagnose(AnyModel(), X, endless(X))


@pytest.mark.parametrize("wrong", [False, True])
def test_masked_scores_leave_the_others_to_be_followed(wrong: bool) -> None:
    last = AnyModel(lambda logits: logits[:, -1] if wrong else logits, both=True)
    masked = nn.Sequential(last, Masked())
    assert torch.isinf(masked(X)).any()
    report = diagnose(masked, X)
    assert report.has_looked
    assert ("M01" in {finding.code for finding in report.findings}) == wrong


class Masked(nn.Module):
    """Its scores for the first class are minus infinity."""

    def forward(self, scores: Tensor) -> Tensor:
        first = torch.zeros_like(scores, dtype=torch.bool)
        first[..., 0] = True
        return scores.masked_fill(first, -torch.inf)
