"""What a tensor holds, found by its values; what a function takes, found by following states."""

import re
import threading

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from selected_run import expressions, run_of, sizes
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled.errors import UsageError
from unrolled.explanation import Report, SelectionPart, explain
from unrolled.explanation._selection_traps import selection_traps
from unrolled.explanation._selection_words import selection_sentences
from unrolled.nn import GRU, LSTM


def _states(part: SelectionPart) -> list[tuple[frozenset, bool]]:
    """Each element's states, and whether it is one of them as it stands."""
    makings = [piece.by for piece in part.pieces for _ in range(piece.count)]
    return [
        (frozenset(source for source in sources if source.address is not None), not by)
        for sources, by in zip(part, makings, strict=True)
    ]


def _named(sources: frozenset) -> set:
    """Without units: of a computed element one stands for all."""
    return {(source.sample, source.address) for source in sources}


@settings(max_examples=40)
@given(st.data(), sizes)
def test_a_function_is_followed_to_the_states_that_its_expression_names(data, sizes):
    """Two ways that share nothing: other values in a real function, and NumPy on addresses."""
    run = run_of(sizes)
    expression = data.draw(expressions(run))
    try:
        run.real(expression)
    except (RuntimeError, IndexError):
        assume(False)
    named = run.named(expression)
    assume(len(_states(named)) < 300)

    def function(x):
        packed = pack_padded_sequence(x, run.names["lengths"], run.first, enforce_sorted=False)
        output, state = run.layer(packed)
        output = pad_packed_sequence(output, batch_first=run.first)[0].contiguous()
        hidden, cell = state if isinstance(state, tuple) else (state, None)
        names = run.names | {"output": output, "hidden_state": hidden, "h_n": hidden}
        names |= {"cell_state": cell, "c_n": cell}
        return eval(expression, {"__builtins__": {}}, names)

    followed = explain(function, run.layer, run.x).selection
    assert followed.sizes == named.sizes
    assert followed.lengths == tuple(run.lengths)
    chosen = "max" in expression or "min" in expression
    for (found, alone), (expected, plain) in zip(_states(followed), _states(named), strict=True):
        if chosen and not plain:
            assert _named(found) <= _named(expected)
        elif plain:
            assert found == expected
            assert alone or not expected
        else:
            assert _named(found) == _named(expected)


@settings(max_examples=40)
@given(st.data(), sizes)
def test_values_are_found_where_the_expression_took_them(data, sizes):
    run = run_of(sizes)
    expression = data.draw(expressions(run))
    try:
        tensor = run.real(expression)
    except (RuntimeError, IndexError):
        assume(False)
    named = _states(run.named(expression))
    found = explain(tensor, run.grid).selection
    assert found.sizes == tuple(tensor.shape)
    for (states, alone), (expected, plain) in zip(_states(found), named, strict=True):
        if plain and expected and alone:
            assert states == expected


@pytest.fixture
def layer() -> nn.LSTM:
    torch.manual_seed(0)
    return nn.LSTM(3, 8, 2, bidirectional=True)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))


def _said(report: Report) -> list[str]:
    return [str(sentence).split(" — ")[0] for sentence in selection_sentences(report.selection)]


def test_the_example_of_the_documentation(layer, x):
    output, (hidden, _) = layer(x)
    report = unrolled.explain(torch.cat([hidden[-2], output[0, :, 8:]], dim=-1), layer, x)
    assert _said(report) == [
        "columns 0 to 7, the forward half: h[layer=1, forward, step=4]",
        "columns 8 to 15, the reverse half: h[layer=1, reverse, step=0]",
    ]
    assert repr(report) == str(report) == report.text()
    assert "ring" in report._repr_html_()
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, unrolled.nn.RNN, GRU, LSTM])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_every_layer_in_every_form(kind, batch_first, batched):
    torch.manual_seed(0)
    layer = kind(3, 4, 2, bidirectional=True, batch_first=batch_first)
    x = torch.randn(2, 5, 3) if batch_first else torch.randn(5, 2, 3)
    x = x if batched else torch.randn(5, 3)
    last = (lambda out: out[:, -1]) if batched and batch_first else (lambda out: out[-1])
    followed = explain(lambda x: last(layer(x)[0]), layer, x)
    found = explain(last(layer(x)[0]), layer, x)
    assert _said(followed) == _said(found)
    assert "h[layer=1, reverse, step=4]" in _said(found)[1]
    assert any("reverse direction begins" in t for t in selection_traps(followed.selection))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_projection_and_a_relu(x):
    projected = nn.LSTM(3, 8, proj_size=2, bidirectional=True)
    report = explain(lambda x: projected(x)[1][1], projected, x)
    assert _said(report) == [
        "[0, :, :]: c[layer=0, forward, step=4]",
        "[1, :, :]: c[layer=0, reverse, step=0]",
    ]
    relu = nn.RNN(3, 8, nonlinearity="relu")
    assert _said(explain(relu(x)[1], relu, x)) == ["all of it: h[layer=0, forward, step=4]"]


def test_a_whole_model_is_left_as_it_was(x):
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 8, bidirectional=True)
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            return self.head(self.drop(self.rnn(x)[0]))

    model = Tagger().train()
    model.rnn.eval()
    before = torch.get_rng_state()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    report = explain(model, model.rnn, x)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == [True, False, True, True]
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.rnn._forward_hooks
    part = report.selection
    assert part.expression == "Tagger(x)"
    for step in range(5):
        sources = {(s.sample, str(s.address)) for s in part.at(step, 1, 0)}
        ways = ("forward", "reverse")
        assert sources == {(1, f"h[layer=0, {way}, step={step}]") for way in ways}


def test_a_hook_is_gone_after_a_failure_too(layer, x):
    with pytest.raises(ZeroDivisionError):
        explain(lambda x: layer(x)[0] / (1 // 0), layer, x)
    assert not layer._forward_hooks


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda out, h: out.mean(0), "the mean of h[layer=1, forward] at every step, 0 to 4"),
        (lambda out, h: out.sum(0), "the sum of h[layer=1, forward] at every step, 0 to 4"),
        (lambda out, h: out.max(0).values, "chosen by its value, as max does, from h[layer=1, for"),
        (lambda out, h: out[-1].relu() * 2, "computed from h[layer=1, forward, step=4]"),
        (lambda out, h: h[0] * 0.5 + 1, "computed from h[layer=0, forward, step=4]"),
        (lambda out, h: torch.zeros(2, 8), "all of it: no state"),
        (lambda out, h: h.detach()[0].exp(), "all of it: no state"),
    ],
)
def test_what_computes_is_told_as_computed(function, words, layer, x):
    def call(x):
        output, (hidden, _) = layer(x)
        return function(output, hidden)

    assert any(words in sentence for sentence in _said(explain(call, layer, x)))


def test_a_mean_over_padding_is_warned_of(x):
    layer = GRU(3, 8)

    def pooled(x, lengths):
        packed = pack_padded_sequence(x, torch.tensor(lengths))
        return pad_packed_sequence(torch_layer(packed)[0])[0].mean(0)

    torch_layer = nn.GRU(3, 8)
    for function, one in (
        (pooled, torch_layer),
        (lambda x, lengths: layer(x, lengths=lengths)[0].mean(0), layer),
    ):
        part = explain(function, one, x, [5, 3]).selection
        assert part.lengths == (5, 3)
        assert part.notes == ()
        (trap,) = selection_traps(part)
        assert trap.startswith("the mean divides by padded steps too: sample 1 has 3 real steps")


def test_a_layer_that_is_not_told_the_lengths(layer, x):
    report = explain(lambda x: layer(x)[1][0][-2], layer, x, lengths=[5, 3])
    assert report.selection.notes == (
        "The layer was not told the lengths: of sample 1 it read on to step 4, through padding, "
        "though its last symbol is at step 2. Pack the input, or give lengths= to a layer of "
        "unrolled.nn.",
    )
    assert "The layer was not told the lengths" in report.text()


def test_values_that_several_states_share():
    layer = GRU(3, 8)
    twice = torch.randn(5, 1, 3).repeat(1, 2, 1)  # two samples alike
    states = layer.unroll(twice)
    part = explain(states.output, states).selection
    assert part.notes[0].startswith("80 of 80 values stand in several states")
    for step in range(5):
        for sample in range(2):
            (source,) = part.at(step, sample, 7)
            assert (source.sample, source.address.step, source.unit) == (sample, step, 7)


def test_values_of_a_rougher_type_and_of_numpy(layer, x):
    ours = LSTM(3, 8, 2, bidirectional=True)
    ours.load_state_dict(layer.state_dict())
    states = ours.unroll(x)
    expected = _said(explain(states.final(-1, "reverse"), states))
    rough = explain(layer(x)[1][0][-1].bfloat16().float() + 1e-9, states)
    near = explain(states.final(-1, "reverse") + 1e-7, states)
    plain = explain(states.final(-1, "reverse").detach().numpy(), states.map(lambda a: a.detach()))
    assert _said(near) == _said(plain) == expected == ["all of it: h[layer=1, reverse, step=0]"]
    assert near.selection.notes == ("16 of 16 values equal a state's up to rounding only.",)
    assert "no state" in str(_said(rough))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f, m, x: explain(f, m), "x is missing: give what the function is called with"),
        (
            lambda f, m, x: explain(x, m),
            "x is missing: to find the values of a tensor in a",
        ),
        (lambda f, m, x: explain(f, m.unroll(x), x), "a function is explained of a layer, not of"),
        (lambda f, m, x: explain(f, nn.Linear(3, 3), x), "the layer is of type Linear; give the"),
        (lambda f, m, x: explain(x, nn.Linear(3, 3), x), "the layer is of type Linear; give the"),
        (lambda f, m, x: explain(lambda x: x, m, x), "the function did not call the layer; give"),
        (
            lambda f, m, x: explain(m, m, x),
            "the function returned a tuple of 2; return the one ten",
        ),
        (
            lambda f, m, x: explain(lambda x: str(m(x)), m, x),
            "returned something of type str; return",
        ),
        (lambda f, m, x: explain(lambda x: m(x)[0].tolist(), m, x), "a list of 5; return the one"),
        (
            lambda f, m, x: explain(lambda x: pack_padded_sequence(m(x)[0], [5, 3]), m, x),
            "returned a PackedSequence, which pad_packed_sequence unpacks; return the one tensor",
        ),
        (lambda f, m, x: explain(lambda x: torch.fft.fft(f(x)), m, x), "torch.complex64, which h"),
        (lambda f, m, x: explain(lambda x: f(x) > 0, m, x), "torch.bool, which holds no states"),
        (
            lambda f, m, x: explain(lambda: f(x), m, x),
            "the function cannot be called as function(x): too many positional arguments; wrap it",
        ),
        (
            lambda f, m, x: explain(lambda a, b: f(a), m, x),
            "called as function(x): missing a required argument: 'b'; wrap it in one that can",
        ),
        (
            lambda f, m, x: explain(lambda a: f(a), m, [x, x]),
            "called as function(*x, of 2): too many positional arguments",
        ),
        (lambda f, m, x: explain(lambda x: m(x)[0], m, x[:, :0]), "the layer was given no samples"),
        (lambda f, m, x: explain(x.to(torch.complex64), m, x), "the tensor is of complex64 and"),
        (
            lambda f, m, x: explain(x.to("meta"), m, x),
            "on the device 'meta', where nothing has a v",
        ),
        (lambda f, m, x: explain(np.array(["h"]), m, x), "the tensor is of <U1, and states are nu"),
        (
            lambda f, m, x: explain(np.array([None]), m, x),
            "the tensor is of object, and states are",
        ),
        (
            lambda f, m, x: explain(torch.zeros(1).expand(10**12), m, x),
            "the tensor has 1,000,000,000,000 elements and the run 40; at most 2,000,000 are compa",
        ),
        (
            lambda f, m, x: explain(lambda x: f(x).argmax(), m, x),
            "returned a tensor of torch.int",
        ),
        (lambda f, m, x: explain(lambda x: f(x) + f(x), m, x), "calls the layer more than once"),
        (
            lambda f, m, x: explain(lambda x: _positive(f(x)), m, x),
            "returns another shape when",
        ),
        (lambda f, m, x: explain(f, m.bfloat16(), x.bfloat16()), "too few numbers to tell states"),
        (lambda f, m, x: explain(x, GRU(3, 4, 2, dropout=0.5), x), "in training with dropout=0.5"),
    ],
)
def test_what_does_not_fit_is_refused(call, message, x):
    layer = GRU(3, 4)
    function = lambda x: layer(x)[0][-1]  # noqa: E731
    with pytest.raises(UsageError, match=re.escape(message)):
        call(function, layer, x)


def test_a_function_that_fails_says_so_itself_and_what_it_was_given(layer, x):
    """The fault stays the function's own, with its place in the user's code."""
    with pytest.raises(RuntimeError, match="is invalid for input of size") as raised:
        explain(lambda x: layer(x)[0].view(7, 7), layer, x)
    (note,) = raised.value.__notes__
    assert note.startswith("unrolled.explain called the function, and it failed by itself; in pla")
    assert not layer._forward_hooks


def test_functions_of_which_the_values_decide(layer, x):
    def branch(x):
        output = layer(x)[0]
        return output[0] if output.sum() > 0 else output[1]

    def place(x):
        output = layer(x)[0]
        return output[output[:, 0, 0].argmax()]

    for function in (branch, place):
        said = _said(explain(function, layer, x))
        assert [words.split(" from ")[0] for words in said] == [
            "columns 0 to 7, the forward half: chosen by its value, as max does,",
            "columns 8 to 15, the reverse half: chosen by its value, as max does,",
        ]


def test_other_types_and_layouts_of_a_result(x):
    layer = GRU(3, 4)
    said = ["all of it: h[layer=0, forward, step=4]"]
    assert _said(explain(lambda x: layer(x)[0][-1].double(), layer, x)) == said
    assert _said(explain(lambda x: layer(x)[0][-1].to_sparse(), layer, x)) == said
    assert _said(explain(layer(x)[0][-1].to_sparse(), layer, x)) == said
    for rough in (torch.bfloat16, torch.float16):
        (computed,) = _said(explain(lambda x, r=rough: layer(x)[0][-1].to(r), layer, x))
        assert computed == "all of it: computed from h[layer=0, forward, step=4]"
    odd = layer(x)[0][-1].detach().clone()
    odd[0, 0], odd[0, 1] = float("inf"), float("nan")
    part = explain(odd, layer, x).selection
    assert part.at(0, 0) == part.at(0, 1) == ()
    assert str(part.at(1, 3)[0].address) == "h[layer=0, forward, step=4]"


def test_a_tensor_of_two_states_at_once_and_of_none(x):
    layer = unrolled.nn.RNN(3, 4, nonlinearity="relu")
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
    still = layer.unroll(x)  # every state is 0
    part = explain(still.output, still).selection
    assert part.notes == (
        "40 of 40 values stand in several states, the first of them in h[layer=0, forward, step=0]"
        ", unit 0 of sample 0 and in h[layer=0, forward, step=0], unit 1 of sample 0; the one that "
        "continues its neighbours is named.",
    )
    assert _said(explain(torch.full((2, 4), 3.0), still)) == ["all of it: no state"]


def test_other_things_that_do_not_fit(x):
    layer = GRU(3, 4)
    with pytest.raises(TypeError, match="what to explain is of type str; give a tensor, or give a"):
        explain("output[0]", layer, x)
    with pytest.raises(TypeError, match="of type PackedSequence; unpack it with pad_packed_sequen"):
        explain(pack_padded_sequence(x, [5, 3]), layer, x)
    with pytest.raises(ValueError, match="the length of sample 0 is 9"):
        explain(lambda x: layer(x)[0], layer, x, lengths=[9, 9])
    nothing = explain(x[..., :0], layer, x)
    assert _said(nothing) == ["nothing: the shape (5, 2, 0) has no elements"]


def _positive(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[tensor > 0]


def test_a_run_too_large_to_be_followed(x):
    layer = nn.GRU(3, 1024)
    with pytest.raises(UsageError, match="units of states and at most 2,000,000 are followed"):
        explain(lambda x: layer(x)[0], layer, torch.zeros(1000, 3, 3))


@pytest.mark.parametrize("first", [False, True])
def test_padding_that_unpacking_makes_is_told_as_padding(x, first):
    """Packed, the layer hands out no padding; pad_packed_sequence puts the zeros in."""
    layer = nn.GRU(3, 4, bidirectional=True, batch_first=first)

    def last(x):
        packed = pack_padded_sequence(x, [5, 3], first)
        output = pad_packed_sequence(layer(packed)[0], first)[0]
        return output[:, -1] if first else output[-1]

    part = explain(last, layer, x.transpose(0, 1) if first else x).selection
    assert [source.address for source in part.at(1, 7)] == [None]
    assert str(part.at(0, 7)[0].address) == "h[layer=0, reverse, step=4]"
    traps = selection_traps(part)
    assert any(trap.startswith("of sample 1 only padding is taken (0)") for trap in traps)
    assert not any("an index is on the batch" in trap for trap in traps)


def test_a_maximum_over_padding_is_warned_of(x):
    layer = GRU(3, 8)
    part = explain(lambda x: layer(x, lengths=[5, 3])[0].max(0).values, layer, x).selection
    (trap,) = selection_traps(part)
    assert trap.startswith("padding takes part in the choice of sample 1, as 0")


def test_values_of_something_else_are_no_states_even_where_some_are_equal_by_chance():
    """Of 300,000 numbers of single precision some are equal to any other few thousand."""
    torch.manual_seed(0)
    layer = nn.LSTM(4, 64, 2, bidirectional=True)
    x = torch.randn(20, 16, 4)
    other = torch.rand(16, 256) * 0.6 - 0.3
    assert _said(explain(other, layer, x)) == ["all of it: no state"]
    assert _said(explain(torch.zeros(16, 128), layer, x)) == ["all of it: no state"]
    halves = torch.cat([layer(x)[0][-1], other], dim=-1)
    assert _said(explain(halves, layer, x)) == [
        "columns 0 to 63: h[layer=1, forward, step=19]",
        "columns 64 to 127: h[layer=1, reverse, step=19]",
        "columns 128 to 383: no state",
    ]


@pytest.mark.parametrize("units", [3, 5])
def test_a_sum_is_never_taken_for_a_state_that_has_its_value_by_chance(units):
    """In a run so small, sums of evenly spread values would be values of other units again."""
    layer = nn.GRU(2, units, 2)
    x = torch.randn(1, 1, 2)
    for _ in range(5):
        part = explain(lambda x: layer(x)[0][0, 0].sum(), layer, x).selection
        assert [(source.address.layer, source.unit) for source in part.at()] == [
            (1, unit) for unit in range(units)
        ]


def test_dropout_is_off_in_a_function_of_which_no_module_is_known(x):
    layer, drop = GRU(3, 8), nn.Dropout(0.5)

    def dropped(x):
        return nn.functional.dropout(drop(layer(x)[0][-1]), 0.9, inplace=False)

    assert _said(explain(dropped, layer, x)) == ["all of it: h[layer=0, forward, step=4]"]
    assert drop.training


def test_no_other_thread_sees_another_engine(layer, x):
    """What computes PyTorch's layer here is chosen for this call, not for the process."""
    seen, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            seen.add(unrolled.nn.current_engine().engine.name)

    with unrolled.nn.engine("reference"):
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for _ in range(20):
                report = explain(layer(x)[1][0][-1], layer, x)
        finally:
            done.set()
            watcher.join()
        assert unrolled.nn.current_engine().engine.name == "reference"
    assert seen == {"reference"}
    assert _said(report) == ["all of it: h[layer=1, reverse, step=0]"]


def test_weights_that_are_computed_from_others(x):
    """Such as those of a weight norm, which the layer's state_dict does not name."""
    layer = nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0")
    assert _said(explain(layer(x)[1], layer, x)) == ["all of it: h[layer=0, forward, step=4]"]
