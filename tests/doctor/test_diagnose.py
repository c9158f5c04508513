"""`diagnose` on models of many parts: what it finds, what it leaves as it was, what it says."""

import copy
import random
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled.doctor import Report
from unrolled.errors import UsageError
from unrolled.testing import assert_states_sound


class Reader(nn.Module):
    """A classifier put together from parts, each right or wrong."""

    def __init__(
        self,
        cell: str,
        layers: int,
        both: bool,
        summary: str,
        ids: bool,
        packed: bool,
    ) -> None:
        super().__init__()
        self.summary, self.packed, self.layers = summary, packed, layers
        self.embedding = nn.Embedding(12, 5) if ids else None
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
        self.layer = kind(5, 4, num_layers=layers, bidirectional=both, batch_first=True)
        ways = 2 if both else 1
        width = 4 * ways * (layers if summary in ("view", "all") else 1)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(width, 3)
        self.carried: Tensor | None = None

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.embedding is not None:
            x = self.embedding(x)
        given = x
        if self.packed:
            given = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, final = self.layer(given)
        h_n = final[0] if isinstance(final, tuple) else final
        if self.packed:
            output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.size(1))
        rows = torch.arange(len(x))
        mask = (torch.arange(x.size(1)) < lengths[:, None]).unsqueeze(-1)
        ways = 2 if self.layer.bidirectional else 1
        if self.summary == "last":
            taken = output[:, -1]
        elif self.summary == "gather":
            taken = output[rows, lengths - 1]
        elif self.summary == "early":
            taken = output[rows, (lengths - 2).clamp(min=0)]
        elif self.summary == "mean":
            taken = output.mean(1)
        elif self.summary == "masked":
            taken = (output * mask).sum(1) / lengths[:, None]
        elif self.summary == "view":
            taken = h_n.view(len(x), -1)
        elif self.summary == "all":
            taken = h_n.transpose(0, 1).reshape(len(x), -1)
        else:
            taken = torch.cat([h_n[-way] for way in range(ways, 0, -1)], -1)
        return self.head(self.dropout(taken))


def expected(layers: int, both: bool, summary: str, packed: bool, ragged: bool) -> set[str]:
    """The codes that may be found; one of them has to be, unless there are none."""
    if summary == "last":
        if both:
            return {"M01", "M10"} if ragged else {"M01"}
        return {"M10"} if ragged else set()
    if summary == "gather":
        if both:
            return {"M01", "M02"}
        return set()
    if summary == "early":
        if both:  # the reverse half has read the last symbol, so that none is unread
            return {"M10"} if ragged and not packed else set()
        return {"M12"}
    if summary == "mean":
        return {"M28"} if ragged else set()
    if summary == "view" and layers * (2 if both else 1) > 1:
        return {"M03"}
    if ragged and not packed:
        if summary == "masked":
            return {"M10"} if both else set()
        return {"M10"}
    return set()


parts = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru", "rnn"]),
        "layers": st.integers(1, 2),
        "both": st.booleans(),
        "summary": st.sampled_from(
            ["last", "gather", "early", "mean", "masked", "view", "all", "final"]
        ),
        "ids": st.booleans(),
        "packed": st.booleans(),
    }
)


def state_of(model: nn.Module) -> dict[str, object]:
    """All of a model that a diagnosis could change."""
    return {
        "tensors": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "types": {name: tensor.dtype for name, tensor in model.state_dict().items()},
        "training": [module.training for module in model.modules()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "wanting": [p.requires_grad for p in model.parameters()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "hooks": [
            (len(module._forward_hooks), len(module._forward_pre_hooks))
            for module in model.modules()
        ],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1],
        "python": random.getstate(),
        "default": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
    }


def same(first: object, second: object) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.equal(first, second)
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(parts, st.booleans(), st.integers(0, 3))
def test_one_wrong_part_is_found_and_nothing_is_changed(
    chosen: dict[str, object], ragged: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    model = Reader(**chosen)  # type: ignore[arg-type]
    model.train(seed % 2 == 0)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    lengths = torch.tensor([4, 7, 3, 5] if ragged else [7, 7, 7, 7])
    if chosen["ids"]:
        x = torch.randint(1, 12, (4, 7)) * (torch.arange(7) < lengths[:, None])
    else:
        x = torch.randn(4, 7, 5)
    before, kept = state_of(model), x.clone()
    report = unrolled.diagnose(model, x, lengths)
    assert same(before, state_of(model))
    assert torch.equal(x, kept)
    assert not [u for u in report.not_run if "it met" in u.why], report.not_run
    codes = {finding.code for finding in report.findings}
    allowed = expected(
        chosen["layers"],  # type: ignore[arg-type]
        chosen["both"],  # type: ignore[arg-type]
        str(chosen["summary"]),
        bool(chosen["packed"]),
        ragged,
    )
    assert bool(codes) == bool(allowed), (codes, allowed)
    assert codes <= allowed
    assert all(finding.module == "layer" for finding in report.findings)


def test_two_diagnoses_say_the_same() -> None:
    model = Reader("gru", 2, True, "last", False, False)
    x, lengths = torch.randn(3, 6, 5), torch.tensor([6, 6, 6])
    first, second = (unrolled.diagnose(model, x, lengths) for _ in range(2))
    assert first.findings == second.findings


def why(report: Report) -> str:
    assert len({unrun.why for unrun in report.not_run}) == 1
    return report.not_run[0].why


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor, scale: float) -> Tensor:
        return self.layer(x)[1][-1] * scale


def test_a_call_that_raises_is_said_in_a_sentence() -> None:
    report = unrolled.diagnose(Plain(), torch.randn(3, 5, 3))
    assert "missing 1 required positional argument: 'scale'" in why(report)
    assert why(report).endswith("give the inputs of a call that works.")
    assert report.checks_run == ("M27",)


def test_no_examples() -> None:
    assert why(unrolled.diagnose(Plain())).startswith("no example inputs were given")


def test_no_recurrent_layer() -> None:
    report = unrolled.diagnose(nn.Linear(3, 2), torch.randn(4, 3))
    assert report.ok
    assert not report.findings
    assert any("No recurrent layer ran" in line for line in report.assumptions)


def test_no_parameters() -> None:
    report = unrolled.diagnose(nn.Identity(), torch.randn(4, 5, 3))
    assert report.ok


def test_nonsense_out_of_a_model() -> None:
    class Nonsense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> object:
            self.layer(x)
            return {"text": "nothing", "number": 3, "none": None}

    assert unrolled.diagnose(Nonsense(), torch.randn(3, 5, 3)).ok


def test_results_that_are_not_finite() -> None:
    class Infinite(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[1][-1] / 0

    report = unrolled.diagnose(Infinite(), torch.randn(3, 5, 3))
    assert "not finite" in why(report)


@pytest.mark.parametrize("shape", [(1, 5, 3), (3, 1, 3), (1, 1, 3)])
def test_one_sample_or_one_step(shape: tuple[int, ...]) -> None:
    model = Plain()
    report = unrolled.diagnose(model, torch.randn(shape), 2.0)
    assert report.ok
    said = {unrun.code: unrun.why for unrun in report.not_run}
    if shape[0] == 1:
        assert "give a batch of at least two" in said["M07"]
    if shape[1] == 1:
        assert "give a longer one" in said["M09"]


def test_a_model_of_hundreds_of_layers() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.GRU(2, 2, batch_first=True) for _ in range(200))

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)[0]
            return x

    x = torch.randn(3, 4, 2)
    report = unrolled.diagnose(Deep(), x, checks=["M03", "M05", "M17", "M30"])
    assert not report.findings
    assert report.seconds < 60
    hurried = unrolled.diagnose(Deep(), x, checks=["M05", "M07"], seconds_per_check=0.05)
    assert not hurried.findings
    assert {unrun.code for unrun in hurried.not_run} == {"M05", "M07"}
    assert "took longer than 0.05 seconds" in why(hurried)


def test_a_model_that_is_never_the_same() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x + torch.randn_like(x))[1][-1]

    assert unrolled.diagnose(Noisy(), torch.randn(3, 5, 3)).ok


def test_a_model_that_cannot_be_copied_is_put_back() -> None:
    class Uncopied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True, bidirectional=True)
            self.state: Tensor | None = None

        def __deepcopy__(self, memo: object) -> "Uncopied":
            raise TypeError("no copies")

        def forward(self, x: Tensor) -> Tensor:
            output, self.state = self.layer(x)
            return output[:, -1]

    model, x = Uncopied().train(), torch.randn(3, 5, 3)
    before = state_of(model)
    report = unrolled.diagnose(model, x)
    assert same(before, state_of(model))
    assert model.state is None
    assert [finding.code for finding in report.findings] == ["M01"]
    assert any("could not be copied" in line for line in report.assumptions)
    said = {unrun.code: unrun.why for unrun in report.not_run}
    assert all("could not be copied" in said[code] for code in ("M20", "M21"))


def test_a_check_that_takes_too_long_is_left() -> None:
    class Slow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(1000):
                time.sleep(0.002)
                x = x + 0
            return self.layer(x)[1][-1]

    begun = time.monotonic()
    report = unrolled.diagnose(Slow(), torch.randn(3, 5, 3), seconds_per_check=0.1)
    assert time.monotonic() - begun < 2
    assert "took longer than 0.1 seconds" in why(report)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"checks": ["M99"]}, "no check has the code 'M99'; they are M01 to M30"),
        ({"seconds_per_check": 0}, "seconds_per_check is 0; it must be a number above 0"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        unrolled.diagnose(Plain(), torch.randn(3, 5, 3), 1.0, **arguments)  # type: ignore[arg-type]


def test_no_module() -> None:
    with pytest.raises(UsageError, match=r"takes a torch.nn.Module and got a str"):
        unrolled.diagnose("model")  # type: ignore[arg-type]


def test_assert_states_sound() -> None:
    x, lengths = torch.randn(3, 6, 5), torch.tensor([6, 6, 6])
    assert_states_sound(Reader("gru", 1, True, "final", False, False), x, lengths)
    with pytest.raises(AssertionError, match="M01"):
        assert_states_sound(Reader("gru", 1, True, "last", False, False), x, lengths)


def test_only_the_checks_that_were_asked_for() -> None:
    model = Reader("gru", 1, True, "last", False, False)
    report = unrolled.diagnose(model, torch.randn(3, 6, 5), torch.tensor([6, 6, 6]), checks=["M10"])
    assert report.checks_run + tuple(u.code for u in report.not_run) == ("M10",)
    assert copy.copy(report).findings == ()
