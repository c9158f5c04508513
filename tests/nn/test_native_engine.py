"""The compiled kernels against the reference engine in float64, and what must never happen."""

import copy
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils import parametrizations

import unrolled
from unrolled import nn
from unrolled.grid import StackShape
from unrolled.kernels import available_isas, why_unavailable
from unrolled.kernels._isa import native
from unrolled.nn import _stack_cache
from unrolled.nn._kept import Wanted, by_name
from unrolled.nn._native_op import recurrent, recurrent_backward, sizes_of
from unrolled.nn._weights import flat, stack_weights

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None,
    reason="nothing is compiled; these run where g++ was there at installation",
)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 3}),
}


def make(kind: str, *sizes: int, **settings: Any) -> Any:
    name, extra = KINDS[kind]
    torch.manual_seed(0)
    return getattr(nn, name)(*sizes, **extra, **settings)


def states_of(layer: Any, *arguments: Any, **named: Any) -> list[Tensor]:
    output, states = layer(*arguments, **named)
    return [output, *(states if isinstance(states, tuple) else (states,))]


def gradients(values: list[Tensor], of: list[Tensor]) -> list[Tensor]:
    """Of a sum in which every element has a weight of its own."""
    total = sum(
        (value * torch.linspace(-1, 1, value.numel(), dtype=value.dtype).view_as(value)).sum()
        for value in values
    )
    return list(torch.autograd.grad(total, of, retain_graph=True))


def assert_near(found: list[Tensor], exact: list[Tensor]) -> None:
    for one, other in zip(found, exact, strict=True):
        scale = max(1.0, float(other.detach().abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one.double(), other, rtol=2e-5, atol=1e-5 * scale)


@settings(max_examples=80)
@given(
    kind=st.sampled_from(list(KINDS)),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    batch_first=st.booleans(),
    state=st.booleans(),
    input_size=st.integers(1, 20),
    hidden_size=st.integers(4, 40),
    extra_steps=st.integers(0, 2),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=15),
    ragged=st.booleans(),
    threads=st.integers(1, 3),
)
def test_equals_the_reference_forward_and_backward(
    kind: str,
    layers: int,
    bidirectional: bool,
    bias: bool,
    batch_first: bool,
    state: bool,
    input_size: int,
    hidden_size: int,
    extra_steps: int,
    lengths: list[int],
    ragged: bool,
    threads: int,
) -> None:
    layer = make(
        kind,
        input_size,
        hidden_size,
        layers,
        bias=bias,
        batch_first=batch_first,
        bidirectional=bidirectional,
    )
    steps, batch = max(lengths) + extra_steps * ragged, len(lengths)
    x = torch.randn(*((batch, steps) if batch_first else (steps, batch)), input_size)
    starts = []
    if state:
        shape = layer.shape
        sizes = [shape.state_size] + ([shape.cell_size] if shape.has_cell_state else [])
        starts = [torch.randn(shape.num_rows, batch, size) for size in sizes]

    def run(layer: Any, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
        leaves = [t.to(dtype).detach().requires_grad_() for t in (x, *starts)]
        hx = None if not state else tuple(leaves[1:]) if len(starts) == 2 else leaves[1]
        values = states_of(layer, leaves[0], hx, lengths if ragged else None)
        return values, gradients(values, [*leaves, *layer.parameters()])

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with unrolled.engine("native"):
            found, found_gradients = run(layer, torch.float32)
    finally:
        torch.set_num_threads(before)
    with unrolled.engine("reference"):
        exact, exact_gradients = run(copy.deepcopy(layer).double(), torch.float64)
    assert_near(found, exact)
    if kind == "rnn_relu":
        # Its gradient jumps where a sum is 0, and float64 may stand on the other side of it.
        with unrolled.engine("torch"):
            _, in_float32 = run(layer, torch.float32)
        exact_gradients = [one.double() for one in in_float32]
    assert_near(found_gradients, exact_gradients)


@pytest.mark.parametrize("isa", [isa for isa in available_isas() if isa != "numpy"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_instruction_set_computes_the_same(kind: str, isa: str) -> None:
    layer = make(kind, 5, 19, 2, bidirectional=True)
    shape: StackShape = layer.shape
    x = torch.randn(7, 9, 5)
    lengths = torch.tensor([7, 1, 3, 5, 2, 7, 4, 6, 1])
    stack = native().Stack(shape.cell, 5, 19, 2, 2, True, shape.proj_size, isa)
    outputs = [torch.zeros(7, 9, shape.output_size) for _ in range(2)]
    h0 = torch.zeros(4, 9, shape.state_size)
    c0 = torch.zeros(4, 9, 19) if shape.has_cell_state else None
    h_n, c_n = torch.empty_like(h0), None if c0 is None else torch.empty_like(c0)
    weights = [[weight.detach() for weight in row.present()] for row in stack_weights(layer, shape)]
    stack.forward(stack.bind(weights), x, h0, c0, lengths, outputs, h_n, c_n, [], [], None, 2)
    with unrolled.engine("reference"):
        expected = states_of(copy.deepcopy(layer).double(), x.double(), lengths=lengths)
    assert_near([outputs[-1], h_n] + ([] if c_n is None else [c_n]), expected)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(list(KINDS)),
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=14),
    extra_steps=st.integers(0, 3),
    rubbish=st.sampled_from([float("nan"), float("inf"), -3.0]),
    data=st.data(),
)
def test_a_sample_is_the_same_to_the_last_bit_in_any_company(
    kind: str, lengths: list[int], extra_steps: int, rubbish: float, data: st.DataObject
) -> None:
    layer = make(kind, 3, 21, 2, bidirectional=True)
    order = data.draw(st.permutations(range(len(lengths))))
    x = torch.randn(max(lengths) + extra_steps, len(lengths), 3)
    for sample, length in enumerate(lengths):
        x[length:, sample] = rubbish
    with unrolled.engine("native"), torch.no_grad():
        output, *finals = states_of(layer, x, lengths=lengths)
        other, *_ = states_of(layer, x[:, order], lengths=[lengths[i] for i in order])
        assert torch.equal(other, output[:, order])
        for sample, length in enumerate(lengths):
            alone, *alone_finals = states_of(layer, x[:length, sample])
            assert torch.equal(output[:length, sample], alone)
            assert not output[length:, sample].any()
            for final, alone_final in zip(finals, alone_finals, strict=True):
                assert torch.equal(final[:, sample], alone_final)


@pytest.mark.parametrize("kind", KINDS)
def test_results_do_not_depend_on_the_number_of_threads(kind: str) -> None:
    layer = make(kind, 6, 40, 2, bidirectional=True)
    x = torch.randn(12, 31, 6, requires_grad=True)
    lengths = [1 + sample % 12 for sample in range(31)]
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            with unrolled.engine("native"):
                values = states_of(layer, x, lengths=lengths)
                found.append([*values, *gradients(values, [x, *layer.parameters()])])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_backward_run_may_have_other_threads_than_its_forward_run(kind: str) -> None:
    layer = make(kind, 6, 20)
    x = torch.randn(9, 14, 6, requires_grad=True)
    found = []
    before = torch.get_num_threads()
    try:
        for forward, backward in ((1, 1), (2, 1), (1, 2)):
            torch.set_num_threads(forward)
            values = states_of(layer, x, lengths=[1 + sample % 9 for sample in range(14)])
            torch.set_num_threads(backward)
            found.append(gradients(values, [x, *layer.parameters()]))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def by_data(layer: Any) -> None:
    layer.weight_hh_l0.data.mul_(-2)


def by_optimizer(layer: Any) -> None:
    layer(torch.randn(3, 2, 4))[0].sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()


def by_loading(layer: Any) -> None:
    layer.load_state_dict({name: -value for name, value in layer.state_dict().items()})


def in_place(layer: Any) -> None:
    with torch.no_grad():
        layer.bias_ih_l0[3] = 5


def by_numpy(layer: Any) -> None:
    layer.weight_ih_l0.detach().numpy()[0, 0] = 9


def by_another_parameter(layer: Any) -> None:
    layer.weight_ih_l0 = torch.nn.Parameter(-layer.weight_ih_l0.detach())


def by_other_memory(layer: Any) -> None:
    layer.weight_hh_l0.data = -layer.weight_hh_l0.data


def by_other_order_of_the_same_memory(layer: Any) -> None:
    rows, columns = layer.weight_hh_l0.shape
    layer.weight_hh_l0.data = layer.weight_hh_l0.data.view(columns, rows).t()


def by_other_order_and_back(layer: Any) -> None:
    rows, columns = layer.weight_hh_l0.shape
    before = layer.weight_hh_l0.data
    layer.weight_hh_l0.data = before.view(columns, rows).t()
    with torch.no_grad():
        layer(torch.randn(5, 3, 4))
    layer.weight_hh_l0.data = before
    before.mul_(-2)


def by_shared_memory(layer: Any) -> None:
    layer.share_memory()
    layer.weight_hh_l0.data.mul_(-2)


@pytest.mark.parametrize(
    "change",
    [
        by_data,
        by_optimizer,
        by_loading,
        in_place,
        by_numpy,
        by_another_parameter,
        by_other_memory,
        by_other_order_of_the_same_memory,
        by_other_order_and_back,
        by_shared_memory,
    ],
)
@pytest.mark.parametrize("kind", ["gru", "projected"])
def test_no_change_of_a_weight_goes_unseen(kind: str, change: Any) -> None:
    layer = make(kind, 4, 9, 2)
    x = torch.randn(5, 3, 4)
    with unrolled.engine("native"), torch.no_grad():
        before = layer(x)[0]
        with torch.enable_grad():
            change(layer)
        after = layer(x)[0]
    with unrolled.engine("reference"), torch.no_grad():
        assert_near([after], [copy.deepcopy(layer).double()(x.double())[0]])
    assert not torch.equal(before, after)


def test_parametrized_weights_are_those_of_the_moment() -> None:
    layer = parametrizations.weight_norm(make("gru", 4, 9), "weight_hh_l0")
    x = torch.randn(5, 3, 4)
    for _ in range(3):
        with unrolled.engine("native"):
            found = layer(x)[0]
        with unrolled.engine("torch"):
            torch.testing.assert_close(found, layer(x)[0], rtol=1e-5, atol=1e-6)
        layer.zero_grad()
        found.pow(2).sum().backward()
        torch.optim.SGD(layer.parameters(), lr=1.0).step()


def test_packed_weights_live_no_longer_than_the_layer() -> None:
    before = len(_stack_cache._STACKS)
    layer = make("gru", 4, 9)
    for _ in range(3):
        with torch.no_grad():
            layer.weight_ih_l0.data = torch.randn(27, 4)
            layer(torch.randn(5, 3, 4))
        assert len(_stack_cache._STACKS) == before + 1
    del layer
    assert len(_stack_cache._STACKS) == before


@pytest.mark.parametrize("kind", ["gru", "projected"])
def test_gradients_of_more_rows_and_columns_than_are_multiplied_at_once(kind: str) -> None:
    def of_weights(layer: Any, x: Tensor) -> list[Tensor]:
        return gradients(states_of(layer, x), list(layer.parameters()))

    layer, x = make(kind, 530, 261), torch.randn(3, 90, 530)
    with unrolled.engine("native"):
        found = of_weights(layer, x)
    with unrolled.engine("reference"):
        assert_near(found, of_weights(copy.deepcopy(layer).double(), x.double()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_can_be_used_twice_and_differentiated_again(kind: str) -> None:
    def second(layer: Any, x: Tensor) -> list[Tensor]:
        values = states_of(layer, x, lengths=[4, 2, 3])
        once, twice = (gradients(values, [x]) for _ in range(2))
        assert torch.equal(once[0], twice[0])
        total = sum(value.pow(2).sum() for value in values)
        [first] = torch.autograd.grad(total, [x], create_graph=True)
        wanted = [x, *layer.parameters()]
        found = torch.autograd.grad(first.pow(2).sum(), wanted, allow_unused=True)
        return [torch.zeros(1) if one is None else one for one in found]

    layer = make(kind, 3, 5, 2, bidirectional=True)
    x = torch.randn(4, 3, 3)
    with unrolled.engine("native"):
        found = second(layer, x.clone().requires_grad_())
    with unrolled.engine("reference"):
        exact = second(copy.deepcopy(layer).double(), x.double().requires_grad_())
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "projected"])
def test_gradients_of_several_sums_are_found_at_once(kind: str) -> None:
    layer = make(kind, 3, 5, 2, bidirectional=True)
    x = torch.randn(4, 3, 3, requires_grad=True)
    wanted = [x, *layer.parameters()]
    with unrolled.engine("native"):
        output = layer(x, lengths=[4, 2, 3])[0]
    several = torch.randn(2, *output.shape)

    def found(of: Tensor, **settings: bool) -> tuple[Tensor, ...]:
        return torch.autograd.grad(output, wanted, of, retain_graph=True, **settings)

    one_by_one = [torch.stack(parts) for parts in zip(*map(found, several), strict=True)]
    batched = found(several, is_grads_batched=True)
    mapped = torch.func.vmap(found)(several)
    for at_once in (batched, mapped):
        torch.testing.assert_close(list(at_once), one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_flow_through_any_state_of_the_grid(kind: str) -> None:
    def of_one_state(layer: Any, x: Tensor) -> list[Tensor]:
        grid = layer.unroll(x, lengths=[6, 4])
        state = grid.at(layer=0, direction="reverse", step=2)
        if grid.cell is not None:
            state = torch.cat([state, grid.at(1, "forward", 3, "cell")], dim=-1)
        return gradients([state], [x, layer.weight_hh_l0_reverse, layer.weight_ih_l0])

    layer = make(kind, 3, 5, 2, bidirectional=True)
    x = torch.randn(6, 2, 3)
    with unrolled.engine("native"):
        found = of_one_state(layer, x.clone().requires_grad_())
    with unrolled.engine("reference"):
        exact = of_one_state(copy.deepcopy(layer).double(), x.double().requires_grad_())
    assert_near(found, exact)


@pytest.mark.parametrize("kind", KINDS)
def test_the_operator_is_what_pytorch_takes_it_for(kind: str) -> None:
    layer = make(kind, 3, 5, 2, bidirectional=True)
    shape: StackShape = layer.shape
    h0 = torch.randn(4, 2, shape.state_size, requires_grad=True)
    c0 = torch.randn(4, 2, 5, requires_grad=True) if shape.has_cell_state else None
    weights = flat(stack_weights(layer, shape))
    x = torch.randn(4, 2, 3, requires_grad=True)
    arguments = (x, h0, c0, torch.tensor([4, 2]), weights, shape.cell, sizes_of(shape), True, True)
    # Not the compiled run of opcheck, which wants gradients of every output; test_compiled has one.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(recurrent, arguments, test_utils=checks)
    found = [one.detach() for one in recurrent(*arguments)]
    kept = by_name(shape, found, Wanted(cells=True, gates=True))
    given = [torch.randn_like(kept.outputs[-1])]
    is_given = [False, True, *(False for _ in range(1 + (c0 is not None) + len(kept.cells)))]
    backward = (
        x.detach(),
        h0.detach(),
        None if c0 is None else c0.detach(),
        torch.tensor([4, 2]),
        [weight.detach() for weight in weights],
        kept.outputs,
        kept.cells,
        kept.gates,
        given,
        is_given,
        shape.cell,
        sizes_of(shape),
        True,
        True,
    )
    torch.library.opcheck(recurrent_backward, backward, test_utils=checks)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_go_where_they_go_in_pytorch(kind: str) -> None:
    layer = make(kind, 3, 5, 2)
    x = torch.randn(4, 3, 3)
    x[1, 0, 1], x[1, 1, 1], x[2, 2, 0] = float("nan"), float("inf"), 1e-42
    with torch.no_grad():
        with unrolled.engine("native"):
            found = layer(x)[0]
        with unrolled.engine("torch"):
            expected = layer(x)[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_a_gradient_passes_a_state_that_is_no_number_as_in_pytorch() -> None:
    layer = nn.RNN(2, 19, nonlinearity="relu")
    like = torch.nn.RNN(2, 19, nonlinearity="relu")
    with torch.no_grad():
        layer.weight_ih_l0[0, 0] = float("nan")
    like.load_state_dict(layer.state_dict())
    x = torch.tensor([[[1.0, -1.0]]])
    with unrolled.engine("native"):
        for one in (layer, like):
            one(x)[0].sum().backward()
    assert layer.bias_ih_l0.grad[0] == 1
    torch.testing.assert_close(layer.bias_ih_l0.grad, like.bias_ih_l0.grad)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden_size", [5, 16, 67])
def test_infinite_inputs_make_no_more_nan_in_gradients_than_in_pytorch(
    kind: str, hidden_size: int
) -> None:
    layer = make(kind, 1, hidden_size)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(0.5)
    x = torch.tensor([0.1, float("inf")]).reshape(2, 1, 1).requires_grad_()
    found = []
    for engine in ("native", "torch"):
        with unrolled.engine(engine):
            values = states_of(layer, x)
            found.append([*values, *gradients(values, [x, *layer.parameters()])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_inputs_are_read_where_they_lie() -> None:
    layer = make("gru", 6, 9, 1, batch_first=True)
    whole = torch.randn(4, 5, 13)
    views = {
        "features of a wider tensor": whole[:, :, 3:9],
        "every other step": torch.randn(4, 10, 6)[:, ::2],
        "one sample expanded": torch.randn(1, 5, 6).expand(4, 5, 6),
        "one step expanded": torch.randn(4, 1, 6).expand(4, 5, 6),
        "features apart": torch.randn(4, 5, 12)[:, :, ::2],
        "time first in memory": torch.randn(5, 4, 6).transpose(0, 1),
    }
    with unrolled.engine("native"):
        for name, view in views.items():
            copied = view.contiguous().requires_grad_()
            seen = view.detach().requires_grad_()
            one, other = layer(seen)[0], layer(copied)[0]
            assert torch.equal(one, other), name
            for a, b in zip(gradients([one], [seen]), gradients([other], [copied]), strict=True):
                assert torch.equal(a, b), name


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda layer, x: (layer.double(), x.double()), "float64"),
        (lambda layer, x: (layer.bfloat16(), x.bfloat16()), "bfloat16"),
        (lambda layer, x: (layer.to("meta"), x.to("meta")), "on meta"),
    ],
    ids=["float64", "bfloat16", "meta"],
)
def test_what_the_kernels_cannot_compute_is_computed_elsewhere_and_the_reason_is_said(
    change: Any, reason: str
) -> None:
    layer, x = change(make("gru", 3, 4), torch.randn(5, 2, 3))
    choice = nn.engine_for(layer, x)
    assert choice.engine.name == "torch"
    assert reason in choice.reason
    assert str(choice) == f"torch: {choice.reason}"
    assert layer(x)[0].shape == (5, 2, 4)
    assert nn.engine_for(make("gru", 3, 4), torch.randn(5, 2, 3)).engine.name == "native"


@pytest.mark.usefixtures("as_users_call")
def test_a_trace_is_of_pytorchs_operators() -> None:
    layer = make("gru", 3, 4).requires_grad_(requires_grad=False)
    x = torch.randn(5, 2, 3)
    with warnings.catch_warnings(action="ignore"):  # PyTorch's about traces and their sizes
        traced = torch.jit.trace(layer, (x,), check_trace=False)
    other = torch.randn(5, 2, 3)
    torch.testing.assert_close(traced(other)[0], layer(other)[0])


def test_a_negated_view_is_read_as_what_it_stands_for() -> None:
    layer = make("gru", 1, 4)
    x = torch.randn(5, 2, 1, dtype=torch.cfloat).conj().imag
    assert x.is_neg()
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], layer(x.clone())[0])


def test_frozen_weights_get_no_gradient() -> None:
    layer = make("lstm", 3, 4).requires_grad_(requires_grad=False)
    x = torch.randn(5, 2, 3, requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad is not None
    assert all(weight.grad is None for weight in layer.parameters())


def test_layers_that_share_a_weight_do_not_take_each_others() -> None:
    one, other = make("gru", 8, 33), make("gru", 8, 33)
    with torch.no_grad():
        other.weight_hh_l0.neg_()
    other.weight_ih_l0 = one.weight_ih_l0
    x = torch.randn(20, 7, 8)
    with torch.no_grad():
        expected = {layer: copy.deepcopy(layer)(x)[0] for layer in (one, other)}
    wrong: list[int] = []

    def work(layer: Any) -> None:
        with torch.no_grad():
            wrong.extend(n for n in range(30) if not torch.equal(layer(x)[0], expected[layer]))

    threads = [threading.Thread(target=work, args=(layer,)) for layer in (one, other, one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "projected"])
@pytest.mark.parametrize("steps", [1, 9])
def test_units_cut_between_threads_are_the_same_to_the_last_bit(kind: str, steps: int) -> None:
    layer = make(kind, 6, 200)  # one layer, one direction, few samples: nothing else to cut
    x = torch.randn(steps, 3, 6)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            with torch.no_grad():
                found.append(states_of(layer, x, lengths=[steps, 1, steps]))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_of_few_samples_is_the_same_on_any_number_of_threads(kind: str) -> None:
    layer = make(kind, 6, 200, 2)  # one direction: its units are cut, but for a projection
    x = torch.randn(300, 3, 6, requires_grad=True)  # more rows than go back at once
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            values = states_of(layer, x, lengths=[300, 1, 120])
            found.append(gradients(values, [x, *layer.parameters()]))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "steps"), [(2_000, 230), (240_000, 3)])
def test_a_run_in_stretches_is_the_same_to_the_last_bit(kind: str, batch: int, steps: int) -> None:
    layer = make(kind, 2, 5, num_layers=2)
    x = torch.randn(batch, steps, 2).transpose(0, 1)
    for one in (layer, layer.quantize("int8")):
        with torch.no_grad():
            found = states_of(one, x)
            grid = one.unroll(x)  # every state is wanted, so this is no run in stretches
        expected = [grid.output, grid.hidden_state]
        expected += [grid.cell_state] if layer.shape.has_cell_state else []
        assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_may_come_back_in_another_order_in_memory(kind: str) -> None:
    layer = make(kind, 3, 4, 2)
    x = torch.randn(5, 2, 3)
    expected = gradients(states_of(layer, x), list(layer.parameters()))
    scattered = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: tensor, lambda tensor: torch.stack([tensor, tensor], -1)[..., 0]
    )
    with scattered:
        found = gradients(states_of(layer, x), list(layer.parameters()))
    assert all(map(torch.equal, found, expected))


def test_torch_func_goes_elsewhere() -> None:
    layer = make("gru", 3, 4)
    x = torch.randn(5, 2, 3)
    found = torch.func.grad(lambda one: layer(one)[0].pow(2).sum())(x)
    leaf = x.clone().requires_grad_()
    layer(leaf)[0].pow(2).sum().backward()
    torch.testing.assert_close(found, leaf.grad)


def test_python_threads_may_run_one_layer_at_once() -> None:
    layer = make("lstm", 8, 33, 2)
    x = torch.randn(20, 7, 8)
    expected = layer(x)[0]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not torch.equal(layer(x)[0], expected):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_that_see_no_lower_layers_do_not_share_their_memory() -> None:
    layer = make("gru", 8, 16, 3)
    x = torch.randn(6, 2, 8)
    with torch.no_grad():
        expected = layer(x)[0]
    wrong: list[int] = []

    def work(number: int) -> None:
        with torch.no_grad():
            wrong.extend(number for _ in range(2000) if not torch.equal(layer(x)[0], expected))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong


def test_a_run_may_be_longer_or_shorter_than_the_one_before() -> None:
    layer = make("lstm", 8, 16, 2)
    x = torch.randn(40, 3, 8)
    with torch.no_grad():
        expected = [layer.unroll(x[:steps]).output for steps in (20, 3, 40)]
        for steps, output in zip((20, 3, 40), expected, strict=True):
            assert torch.equal(layer(x[:steps])[0], output)


@pytest.fixture
def poisoned() -> Iterator[None]:
    """New tensors are full of NaN."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_all_of_what_is_returned_is_written(kind: str, bidirectional: bool) -> None:
    layer = make(kind, 5, 9, 2, bidirectional=bidirectional)
    for lengths in ([], [1], [3, 7, 1, 7, 2], [1 + sample % 9 for sample in range(70)]):
        x = torch.randn(11, len(lengths), 5, requires_grad=True)
        grid = layer.unroll(x, lengths=lengths)
        found = [grid.hidden, *([] if grid.cell is None else [grid.cell])]
        found += torch.autograd.grad(sum(v.sum() for v in found), [x, *layer.parameters()])
        assert not any(bool(tensor.isnan().any()) for tensor in found)
        with torch.no_grad():
            output = layer(x, lengths=lengths)[0]
            assert torch.equal(output, grid.output)
            assert not any(output[length:, at].any() for at, length in enumerate(lengths))
    layer.requires_grad_(False)
    layer.weight_hh_l0.requires_grad_()
    layer(x, lengths=lengths)[0].sum().backward()
    assert layer.weight_hh_l0.grad.isfinite().all()


RUNS_ONCE = """
import os, signal, torch
from unrolled import nn
torch.set_num_threads(2)
layer, x = nn.GRU(8, 33, 2, bidirectional=True), torch.randn(20, 14, 8)
signal.alarm(60)
expected = torch.exp(torch.zeros(1000, 1000))  # by all threads of PyTorch
if os.environ["FORKS"] == "yes":
    child = os.fork()
    if child:
        raise SystemExit(os.waitpid(child, 0)[1] != 0)
layer(x)[0].sum().backward()
with torch.no_grad():
    expected = layer(x)[0]
    torch.set_num_threads(1)
    print(torch.equal(layer(x)[0], expected), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"FORKS": "yes"},
        {"FORKS": "no"},
        {"FORKS": "no", "OMP_THREAD_LIMIT": "1"},
        {"FORKS": "no", "OMP_DYNAMIC": "true"},
        {"FORKS": "no", "OMP_WAIT_POLICY": "PASSIVE"},
    ],
)
def test_threads_are_found_whatever_pytorch_has(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", RUNS_ONCE],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_computes_too() -> None:
    layer = make("gru", 8, 33, 2)
    x = torch.randn(20, 14, 8)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.no_grad():
            expected = layer(x)[0]
            child = os.fork()
            if child == 0:
                ended = 1
                try:
                    signal.alarm(60)
                    ended = int(not torch.equal(layer(x)[0], expected))
                finally:
                    os._exit(ended)
            assert os.waitpid(child, 0)[1] == 0
            assert torch.equal(layer(x)[0], expected)
    finally:
        torch.set_num_threads(before)


def test_symbols_run_as_their_embeddings_do() -> None:
    embedding = torch.nn.Embedding(7, 5)
    for kind in KINDS:
        layer = make(kind, 5, 9, 2, bidirectional=True, batch_first=True)
        for batch in (1, 8):  # fewer and more steps than symbols
            ids = torch.randint(0, 7, (batch, 4))
            lengths = [1 + sample % 4 for sample in range(batch)]
            expected = states_of(layer, embedding(ids), lengths=lengths)
            recorded = nn.run_embedded(layer, embedding, ids, lengths=lengths)
            with torch.no_grad():
                found = nn.run_embedded(layer, embedding, ids, lengths=lengths)
            for result in (recorded, found):
                for one, other in zip(result, expected, strict=False):
                    torch.testing.assert_close(one, other)
            assert recorded.output.requires_grad
    with torch.no_grad(), pytest.raises(IndexError, match="id 7 is in no row of the table"):
        nn.run_embedded(layer, embedding, torch.full((2, 4), 7))


@pytest.mark.usefixtures("as_users_call")
def test_what_are_no_ids_is_refused_and_hooks_are_called() -> None:
    layer, embedding = make("gru", 5, 9), torch.nn.Embedding(7, 5)
    with torch.no_grad():
        with pytest.raises(ValueError, match=r"ids is torch\.float32 of shape"):
            nn.run_embedded(layer, embedding, torch.rand(2, 4))
        with pytest.raises(ValueError, match="h_0 has shape"):
            nn.run_embedded(layer, embedding, torch.zeros(2, 4).long(), torch.zeros(1, 3, 9))
        called: list[str] = []
        layer.register_forward_hook(lambda *_: called.append("layer"))
        embedding.register_forward_hook(lambda *_: called.append("embedding"))
        nn.run_embedded(layer, embedding, torch.zeros(2, 4).long())
    assert called == ["embedding", "layer"]
