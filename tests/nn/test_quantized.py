"""Layers of a low precision: their arithmetic, their error, and what they refuse."""

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from quantized_reference import ROUNDING, largest_error
from torch import Tensor
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled import nn
from unrolled.kernels import IsaChoice, _recurrent, available_isas, why_unavailable
from unrolled.nn import _quantized_layer
from unrolled.nn._native_op import recurrent_quantized, sizes_of

compiled = pytest.mark.skipif(
    why_unavailable() is not None,
    reason="nothing is compiled; these run where g++ was there at installation",
)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 2}),
}
PRECISIONS = ("int8", "bf16")
# Of `output` on noise, with the weights that PyTorch draws; twice what was seen.
LARGEST = {"int8": 0.06, "bf16": 0.045}


def make(kind: str, *sizes: int, seed: int = 0, **settings: Any) -> Any:
    name, extra = KINDS[kind]
    torch.manual_seed(seed)
    return getattr(nn, name)(*sizes, **extra, **settings)


@contextmanager
def forced(isa: str) -> Iterator[None]:
    """An instruction set for the stacks that are made meanwhile."""
    before = _recurrent.isa
    _recurrent.isa = lambda: IsaChoice(isa, "by the test")  # type: ignore[assignment]
    try:
        yield
    finally:
        _recurrent.isa = before


def flat(found: Any) -> list[Tensor]:
    output, finals = found
    return [output, *(finals if isinstance(finals, tuple) else (finals,))]


@compiled
@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_every_state_is_what_the_arithmetic_says(isa: str, precision: str, data: Any) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    size, hidden, layers = (data.draw(st.integers(least, 40)) for least in (0, 3, 1))
    settings = {name: data.draw(st.booleans()) for name in ("bias", "bidirectional")}
    layer = make(kind, size, hidden, layers % 3 + 1, seed=hidden, **settings)
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=9))
    steps, batch, shape = max(lengths), len(lengths), layer.shape
    scale = data.draw(st.sampled_from((1.0, 1e-3, 30.0)))
    x = scale * torch.randn(steps, batch, size)
    h0 = torch.randn(shape.num_rows, batch, shape.state_size)
    c0 = torch.randn(shape.num_rows, batch, hidden) if shape.has_cell_state else None
    with forced(isa):
        small = nn.QuantizedLayer(layer, precision, x)
        grid = small.unroll(x, h0 if c0 is None else (h0, c0), lengths)
    cell = None if c0 is None else c0.numpy()
    error = largest_error(small, grid, x.numpy(), h0.numpy(), cell, isa)
    # An LSTM's projection reads an h that is no state, so its rounding may differ by a step of it.
    step = {"int8": 5e-3, "bf16": 1e-3 if isa in ROUNDING else 0.0}[precision]
    assert error < 2e-5 + (step if kind == "projected" else 0.0)


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10)
@given(hidden=st.integers(3, 60), layers=st.integers(1, 3), bidirectional=st.booleans())
def test_the_error_is_small(
    kind: str, precision: str, hidden: int, layers: int, bidirectional: bool
) -> None:
    layer = make(kind, 9, hidden, layers, bidirectional=bidirectional, seed=hidden)
    report = layer.quantize(precision).report
    assert 0 < report.output.mean < report.output.largest < LARGEST[precision]


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_report_is_of_the_samples_that_were_given(kind: str, precision: str) -> None:
    layer = make(kind, 5, 12, 2, bidirectional=True, batch_first=True)
    x = torch.randn(3, 6, 5)
    lengths = [6, 2, 4]
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    small = layer.quantize(precision, samples=packed)
    report = small.report
    assert report.probe == "3 samples of 6 steps, given"
    with torch.no_grad():
        exact, found = (one.unroll(x, lengths=lengths) for one in (layer, small))
    errors = {error.name: error for error in report.states}
    real = torch.arange(6)[:, None] < torch.tensor(lengths)
    planes = {"h": (exact.hidden, found.hidden)}
    if exact.cell is not None:
        planes["c"] = (exact.cell, found.cell)
    assert len(errors) == 4 * len(planes)
    for letter, (of_exact, of_found) in planes.items():
        for at, direction in layer.shape.rows():
            d = layer.shape.directions.index(direction)
            apart = (of_exact[at, d] - of_found[at, d]).abs()[real]
            error = errors[f"{letter}[layer={at}, {direction}]"]
            assert error.largest == pytest.approx(float(apart.max()))
            assert error.mean == pytest.approx(float(apart.mean()))
    output = (exact.output - found.output).abs()[real.T]
    assert report.output.largest == pytest.approx(float(output.max()))
    assert report.output.mean == pytest.approx(float(output.mean()))


@compiled
def test_print_shows_precision_and_error() -> None:
    small = nn.GRU(5, 12, 2).quantize("int8")
    said = repr(small)
    assert said.startswith("QuantizedLayer(gru, 5, 12, num_layers=2, precision='int8', output off")
    assert f"{small.report.output.largest:.2g} at most" in said
    assert said.endswith("on 8 samples of 32 steps of noise)")
    lines = str(small.report).splitlines()
    assert lines[0] == "int8 beside float32, on 8 samples of 32 steps of noise: absolute errors"
    assert [line.split("  ")[0].strip() for line in lines[2:]] == [
        "output",
        "h[layer=0, forward]",
        "h[layer=1, forward]",
    ]


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_sample_is_the_same_alone_and_in_any_batch(
    kind: str, bidirectional: bool, precision: str
) -> None:
    small = make(kind, 7, 45, 2, bidirectional=bidirectional).quantize(precision)
    lengths = [9, 1, 5, 7, 3, 9, 2, 8, 8, 4, 6, 9, 1]
    x = torch.randn(9, len(lengths), 7)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            batch = flat(small(x, lengths=lengths))
            if threads == 1:
                expected = batch
            assert all(map(torch.equal, batch, expected))
            for sample, length in enumerate(lengths):
                padding = torch.full((9 - length, 1, 7), torch.nan)
                alone = flat(small(x[:length, sample : sample + 1]))
                padded = torch.cat([x[:length, sample : sample + 1], padding])
                also = flat(small(padded, lengths=[length]))
                assert torch.equal(alone[0][:, 0], batch[0][:length, sample])
                assert torch.equal(also[0][:length], alone[0])
                for one, other, every in zip(alone[1:], also[1:], batch[1:], strict=True):
                    assert torch.equal(one, other)
                    assert torch.equal(one[:, 0], every[:, sample])
    finally:
        torch.set_num_threads(before)


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_is_the_whole_run(kind: str, threads: int, precision: str) -> None:
    small = make(kind, 7, 45, 2).quantize(precision)
    x = torch.randn(6, 2, 7)
    output, finals = small(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stream = small.stream(2)
        for x_t, expected in zip(x, output, strict=True):
            assert torch.equal(stream.push(x_t), expected)
    finally:
        torch.set_num_threads(before)
    hidden, cell = finals if isinstance(finals, tuple) else (finals, None)
    assert torch.equal(stream.hidden_state, hidden)
    assert cell is None or torch.equal(stream.cell_state, cell)


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_called_as_the_layer_it_was_made_of(kind: str, precision: str) -> None:
    layer = make(kind, 4, 6, 2, batch_first=True)
    small = layer.quantize(precision)
    x, lengths = torch.randn(3, 5, 4), [5, 2, 4]
    near = {"rtol": 0, "atol": LARGEST[precision]}
    for one in (x, x[0]):
        torch.testing.assert_close(flat(small(one)), [v.detach() for v in flat(layer(one))], **near)
    finals = layer(x)[1]
    torch.testing.assert_close(
        flat(
            small(
                x,
                finals.detach()
                if isinstance(finals, Tensor)
                else tuple(map(Tensor.detach, finals)),
            )
        ),
        [value.detach() for value in flat(layer(x, finals))],
        **near,
    )
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    output, packed_finals = small(packed)
    padded, _ = pad_packed_sequence(output, batch_first=True)
    expected = small(x, lengths=lengths)
    assert all(map(torch.equal, flat((padded, packed_finals)), flat(expected)))
    grid = small.unroll(x, lengths=lengths)
    assert torch.equal(grid.output, expected[0])
    embedding = torch.nn.Embedding(9, 4)
    ids = torch.randint(9, (3, 5))
    with torch.no_grad():
        found = nn.run_embedded(small, embedding, ids, lengths=lengths)
        assert torch.equal(found.output, small(embedding(ids), lengths=lengths)[0])


@compiled
def test_a_state_dict_a_copy_and_a_pickle_hold_all_of_it(tmp_path: Any) -> None:
    x = torch.randn(5, 2, 3)
    for precision in PRECISIONS:
        small = nn.LSTM(3, 8, 2, proj_size=4).quantize(precision)
        assert not list(small.parameters())
        file = io.BytesIO()
        torch.save(small.state_dict(), file)
        file.seek(0)
        other = nn.LSTM(3, 8, 2, proj_size=4).quantize(precision)
        assert not torch.equal(other(x)[0], small(x)[0])
        other.load_state_dict(torch.load(file, weights_only=True))
        for same in (other, copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
            assert torch.equal(same(x)[0], small(x)[0])
            assert same.report == small.report
        names = {"weight_ih_l0", "weight_hr_l1", "bias_hh_l1", "error", "probe"}
        names |= {"weight_ih_l0_scale", "weight_hr_l1_scale"} if precision == "int8" else set()
        assert names <= set(small.state_dict())


@compiled
def test_the_float32_layer_may_change_afterwards() -> None:
    layer, x = nn.GRU(3, 4), torch.randn(5, 2, 3)
    small = layer.train().quantize("int8")
    assert layer.training
    before = small(x)[0]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert torch.equal(small(x)[0], before)


@compiled
def test_parametrized_weights_are_taken_as_they_are() -> None:
    layer = nn.GRU(3, 4)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    small = layer.quantize("int8")
    scale = small.weight_hh_l0_scale[:, None]
    torch.testing.assert_close(
        small.weight_hh_l0 * scale, layer.weight_hh_l0.detach(), rtol=0, atol=float(scale.max()) / 2
    )


@compiled
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_reaches_its_own_sample_only(poison: float) -> None:
    for precision in PRECISIONS:
        small = nn.GRU(3, 20, 2).quantize(precision)
        x = torch.randn(6, 3, 3)
        clean = small(x)[0]
        x[3, 1, 2] = poison
        found = small(x)[0]
        assert torch.equal(found[:, [0, 2]], clean[:, [0, 2]])
        assert torch.equal(found[:3], clean[:3])
        if precision == "int8" or np.isnan(poison):
            assert found[3:, 1].isnan().all()


@compiled
def test_zeros_and_the_smallest_values_are_no_trouble() -> None:
    layer = nn.RNN(3, 4, bias=False)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    small = layer.quantize("int8")
    assert not small(torch.zeros(4, 1, 3))[0].any()
    assert not small(torch.full((4, 1, 3), 1e-42))[0].any()
    assert small(torch.full((4, 1, 3), 1e-30))[0].isfinite().all()


@compiled
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["gru", "projected"])
@pytest.mark.usefixtures("as_users_call")
def test_the_operator_passes_opcheck(kind: str, precision: str) -> None:
    small = make(kind, 3, 6, 2).quantize(precision)
    x, rows = torch.randn(4, 2, 3), small.weights_by_row()
    h0 = torch.zeros(2, 2, small.shape.state_size)
    c0 = torch.zeros(2, 2, 6) if small.shape.has_cell_state else None
    weights = [weight for row in rows for weight in row]
    arguments = (x, h0, c0, None, weights, small.shape.cell, sizes_of(small.shape), precision, True)
    torch.library.opcheck(recurrent_quantized, arguments)


COMPILED = """
import torch
from unrolled import nn

x = torch.randn(5, 2, 3)
for precision in ("int8", "bf16"):
    for layer in (nn.GRU(3, 4, 2, bidirectional=True), nn.LSTM(3, 4, proj_size=2)):
        small = layer.quantize(precision)
        compiled = torch.compile(small, backend="aot_eager", fullgraph=True)
        exported = torch.export.export(small, (x,))
        for same in (compiled, exported.module()):
            assert torch.equal(same(x)[0], small(x)[0])
print("same")
"""


@compiled
def test_it_is_compiled_and_exported_without_a_break() -> None:
    """In a process without the shape checks of the tests."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "same", done.stderr


def converted(change: Any) -> Any:
    small = nn.GRU(3, 4).quantize("int8")
    change(small)
    return small(torch.zeros(1, 1, 3))


def with_a_nan() -> Any:
    layer = nn.GRU(3, 4)
    layer.weight_hh_l0.data[0, 0] = torch.nan
    return layer.quantize("int8")


def under_grad(samples: Tensor) -> Any:
    return nn.GRU(3, 4).quantize("bf16")(samples.requires_grad_())


@compiled
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.GRU(3, 4).quantize("int4"), ValueError, "precision is 'int4'; a layer is quan"),
        (
            lambda: nn.GRU(3, 4).double().quantize("int8"),
            ValueError,
            "weight_ih_l0 is torch.float64 on cpu; only a layer of float32 on the CPU is quantized",
        ),
        (
            lambda: nn.GRU(3, 4, device="meta").quantize("int8"),
            ValueError,
            "weight_ih_l0 is torch.float32 on meta; only a layer of float32 on the CPU",
        ),
        (with_a_nan, ValueError, "weight_hh_l0 has elements that are not finite"),
        (
            lambda: nn.RNN(133_001, 1).quantize("int8"),
            ValueError,
            "weight_ih_l0 reads 133001 features; sums of int8 hold 133000 at most: use bf16",
        ),
        (
            lambda: nn.GRU(3, 4).quantize("int8", samples=torch.zeros(2, 1, 5)),
            ValueError,
            "input has 5 features",
        ),
        (lambda: nn.GRU(3, 4).quantize("int8", samples=[1]), TypeError, "input is a list of 1"),
        (
            lambda: converted(lambda small: small.train()),
            RuntimeError,
            r"quantized to int8, for inference only; call \.eval\(\) on it, or train the float32",
        ),
        (
            lambda: converted(lambda small: small.double()),
            ValueError,
            "bias_ih_l0 is torch.float64 on cpu; a layer quantized to int8 keeps it as torch.float",
        ),
        (
            lambda: converted(lambda small: small.to("meta")),
            ValueError,
            "weight_ih_l0 is torch.int8 on meta; a layer quantized to int8 keeps it as torch.int8",
        ),
        (
            lambda: under_grad(torch.zeros(1, 1, 3)),
            RuntimeError,
            "a gradient is asked for, and a quantized layer has none; run it under torch.no_grad",
        ),
        (
            lambda: nn.GRU(3, 4).quantize("int8")(torch.zeros(1, 1, 3).double()),
            ValueError,
            r"input is torch\.float64 but the weights are torch\.float32; convert it with "
            r"\.to\(torch\.float32\)",
        ),
        (
            lambda: nn.GRU(3, 4).quantize("int8")(torch.zeros(1, 1, 3), lengths=[2]),
            ValueError,
            "the length of sample 0 is 2",
        ),
        (
            lambda: nn.Stream(nn.GRU(3, 4, bidirectional=True).quantize("int8")),
            ValueError,
            "the layer is bidirectional",
        ),
        (
            lambda: torch.func.vmap(nn.GRU(3, 4).quantize("int8"))(torch.zeros(2, 1, 1, 3)),
            RuntimeError,
            "runs on the compiled kernels only, and the kernels know plain gradients",
        ),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@compiled
def test_engine_for_tells_who_computes_it() -> None:
    choice = nn.engine_for(nn.GRU(3, 4).quantize("int8"), torch.zeros(1, 1, 3))
    assert choice.engine.name == "native"
    assert choice.reason == "a quantized layer runs on the compiled kernels only"


@compiled
@pytest.mark.usefixtures("as_users_call")
def test_engine_for_refuses_what_a_run_refuses() -> None:
    small = nn.GRU(3, 4).quantize("int8")
    x = torch.zeros(5, 2, 3)
    for one, error, message in (
        (x[..., :2], ValueError, "input has 2 features"),
        (x.double(), ValueError, "input is torch.float64"),
        (x.clone().requires_grad_(), RuntimeError, "a gradient is asked for"),
        (torch._neg_view(x), RuntimeError, "a tensor is a negated view"),
    ):
        for call in (small, lambda given: nn.engine_for(small, given)):
            with pytest.raises(error, match=message):
                call(one)
    small.train()
    for call in (small, lambda given: nn.engine_for(small, given)):
        with pytest.raises(RuntimeError, match="for inference only"):
            call(x)


@compiled
@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_it_runs_on_the_kernels_only(engine: str) -> None:
    small = nn.GRU(3, 4).quantize("int8")
    message = f"runs on the compiled kernels only, and the engine in use is '{engine}'"
    with unrolled.engine(engine):
        calls = (
            small,
            small.unroll,
            lambda x: nn.Stream(small),
            lambda x: nn.engine_for(small, x),
        )
        for call in calls:
            with pytest.raises(RuntimeError, match=message):
                call(torch.zeros(1, 1, 3))


def test_without_a_compiled_module_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_quantized_layer, "why_unavailable", lambda: "nothing was compiled")
    with pytest.raises(RuntimeError, match="compiled kernels only, but nothing was compiled"):
        nn.GRU(3, 4).quantize("int8")
