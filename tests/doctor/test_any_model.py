"""Models put together at random from sound and odd parts: the doctor bears them all.

It does not crash, does not take long, and leaves the model, the examples and the process as they
were; and it accounts for each of the thirty mistakes.
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_diagnose import same, state_of
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled.doctor import Report
from unrolled.errors import UsageError


def _raises(x: Tensor) -> Tensor:
    raise KeyError("no such part")


def _exits(x: Tensor) -> Tensor:
    sys.exit("gone")


def _writes(x: Tensor) -> Tensor:
    return x.mul_(0.5) if x.is_floating_point() else x


def _circles(x: Tensor) -> Tensor:
    while True:
        pass


def _sets_defaults(x: Tensor) -> Tensor:
    torch.manual_seed(3)
    random.seed(3)
    torch.set_grad_enabled(False)
    return x


BEFORE: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda x: x,
    "raises": _raises,
    "exits": _exits,
    "writes": _writes,
    "circles": _circles,
    "sets defaults": _sets_defaults,
    "noise": lambda x: x + torch.rand_like(x) if x.is_floating_point() else x,
    "turned": lambda x: x.flip(1),
    "asserts": lambda x: x if len(x) > 2 else _raises(x),
    "first": lambda x: x[:1],
}
READS: dict[str, Callable[[Tensor, Tensor, Tensor], Any]] = {
    "output": lambda output, h_n, lengths: output,
    "last": lambda output, h_n, lengths: output[:, -1],
    "rows": lambda output, h_n, lengths: output[range(len(lengths)), lengths - 1],
    "final": lambda output, h_n, lengths: h_n[-1],
    "viewed": lambda output, h_n, lengths: h_n.view(output.size(0), -1),
    "mean": lambda output, h_n, lengths: output.mean(1),
    "attended": lambda output, h_n, lengths: (output.softmax(1) * output).sum(1),
    "loss": lambda output, h_n, lengths: output.square().mean(),
    "symbols": lambda output, h_n, lengths: output.argmax(-1),
    "none": lambda output, h_n, lengths: None,
    "text": lambda output, h_n, lengths: {"said": "nothing", "at": [output.detach().numpy()]},
    "infinite": lambda output, h_n, lengths: output / 0 * math.inf,
    "empty": lambda output, h_n, lengths: output[:, :0],
    "sparse": lambda output, h_n, lengths: h_n[-1].to_sparse(),
    "complex": lambda output, h_n, lengths: torch.fft.rfft(output, dim=1),
    "both": lambda output, h_n, lengths: (h_n, {"output": output}),
    "by the system": lambda output, h_n, lengths: output + os.urandom(1)[0],
}


class Odd(nn.Module):
    """(batch, step) ids or (batch, step, 3) floats, and their lengths."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN, "ours": unrolled.nn.GRU}
        self.embedding = nn.Embedding(9, 3)
        self.layer = kind[chosen["cell"]](
            3,
            4,
            num_layers=chosen["layers"],
            bidirectional=chosen["both"],
            batch_first=chosen["batch_first"],
        )
        self.chosen = chosen
        self.kept: Any = None
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        x = BEFORE[self.chosen["before"]](x)
        self.calls += 1
        if not x.is_floating_point():
            x = self.embedding(x)
        start = self.kept if self.chosen["keeps"] else None
        given: Any = x
        if self.chosen["packed"]:
            given = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, final = self.layer(given, start)
        self.kept = final
        if self.chosen["packed"]:
            output, _ = pad_packed_sequence(output, batch_first=True)
        h_n = final[0] if isinstance(final, tuple) else final
        return READS[self.chosen["reads"]](output, h_n, lengths)


parts = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru", "rnn", "ours"]),
        "layers": st.integers(1, 2),
        "both": st.booleans(),
        "batch_first": st.booleans(),
        "packed": st.booleans(),
        "keeps": st.booleans(),
        "before": st.one_of(st.just("nothing"), st.sampled_from(sorted(BEFORE))),
        "reads": st.sampled_from(sorted(READS)),
    }
)
SECONDS = 2.0
CHEAPLY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],  # what is found is small, and making it smaller takes minutes
)


@CHEAPLY
@given(parts, st.booleans(), st.integers(1, 4), st.integers(1, 6), st.integers(0, 3))
def test_the_doctor_bears_it(
    chosen: dict[str, Any], ids: bool, batch: int, steps: int, seed: int
) -> None:
    torch.manual_seed(seed)
    model = Odd(chosen)
    model.train(seed % 2 == 0)
    x = torch.randint(1, 9, (batch, steps)) if ids else torch.randn(batch, steps, 3)
    lengths = torch.randint(1, steps + 1, (batch,))
    lengths[0] = steps
    before, kept = state_of(model), (x.clone(), lengths.clone())
    begun = time.monotonic()
    patience = 0.2 if chosen["before"] == "circles" else SECONDS
    report = unrolled.diagnose(
        model, x, lengths, seconds_per_check=patience, seconds_in_all=3 * SECONDS
    )
    assert time.monotonic() - begun < 5 * SECONDS
    assert same(before, state_of(model))
    assert torch.equal(x, kept[0])
    assert torch.equal(lengths, kept[1])
    codes = sorted([*report.checks_run, *(unrun.code for unrun in report.not_run)])
    assert codes == [f"M{n:02d}" for n in range(1, 31)]
    assert {finding.code for finding in report.findings} <= set(report.checks_run)
    for unrun in report.not_run:
        assert unrun.why.endswith(".")
        assert "\n" not in unrun.why
        assert "it met" not in unrun.why, unrun
    assert Report.from_json(report.to_json()) == report
    for text in (report.text(), report.to_html(), report.to_junit(), report._repr_html_()):
        assert text
    if chosen["before"] in ("raises", "exits", "circles"):
        assert not report.ok
        assert not report.has_looked


odd_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.sampled_from([torch.randn(3, 4, 3), torch.ones(3, 4).long(), torch.ones(3, 4).bool()]),
    st.sampled_from([torch.tensor([4, 3, 2]), torch.tensor(2.0), torch.randn(3, 0, 3)]),
    st.sampled_from([torch.randn(3, 4).numpy(), torch.randn(2).to("meta"), object()]),
    st.sampled_from([torch.eye(3).to_sparse(), torch.randn(4, 3), torch.randn(2, 3, 4, 3)]),
)
odd_inputs = st.recursive(
    odd_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=4,
)


HINTS = ("lengths", "batch_dim", "time_dim", "target", "keywords", "checks")


@CHEAPLY
@given(
    st.lists(odd_inputs, max_size=3),
    st.fixed_dictionaries({}, optional=dict.fromkeys(HINTS, odd_inputs)),
)
def test_any_arguments_are_taken_or_refused(inputs: list[Any], hints: dict[str, Any]) -> None:
    class TakesAnything(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.GRU(3, 4, batch_first=True)

        def forward(self, *values: Any, **named: Any) -> Any:
            for value in values:
                if isinstance(value, Tensor) and value.is_floating_point():
                    return self.layer(value)[0]
            return values

    refusal = None
    try:
        report = unrolled.diagnose(TakesAnything(), *inputs, **hints)
    except UsageError as fault:
        refusal = str(fault)
    if refusal is not None:
        assert "\n" not in refusal
    else:
        assert all("it met" not in unrun.why for unrun in report.not_run), report.not_run
