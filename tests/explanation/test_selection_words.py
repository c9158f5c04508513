"""What is said of a selection, which traps are named, and that the ways out are none."""

import pytest

from unrolled.explanation import Report, explain_selection
from unrolled.explanation._selection_traps import selection_traps
from unrolled.explanation._selection_words import history, selection_sentences
from unrolled.grid import StackShape, StateAddress

BOTH = StackShape("lstm", 2, 4, 2, True)


def _report(select: str, shape: StackShape = BOTH, **options) -> Report:
    options = {"batch_first": False, "lengths": [5, 3]} | options
    return explain_selection(shape, 5, select, **options)


def _said(select: str, shape: StackShape = BOTH, **options) -> list[str]:
    return [str(one) for one in selection_sentences(_report(select, shape, **options).selection)]


@pytest.mark.parametrize(
    ("layer", "direction", "step", "sentence"),
    [
        (0, "forward", 0, "the first state that direction computed; it has read 1 of 5 symbols"),
        (0, "reverse", 4, "the first state that direction computed; it has read 1 of 5 symbols"),
        (0, "reverse", 3, "it has read 2 of 5 symbols"),
        (0, "reverse", 0, "the last state that direction computed; it has read all 5 symbols"),
        (1, "forward", 4, "the last state that direction computed; it has read all 5 symbols"),
        (
            1,
            "reverse",
            4,
            "the first state that direction computed: one step of its own; through the layer "
            "below, which runs both ways, it has read all 5 symbols",
        ),
        (
            1,
            "forward",
            2,
            "3 steps of its own; through the layer below, which runs both ways, it has read all 5 "
            "symbols",
        ),
    ],
)
def test_how_much_a_state_has_read(layer, direction, step, sentence):
    assert history(BOTH, 5, StateAddress("hidden", layer, direction, step)) == sentence


def test_a_single_step_is_the_first_and_the_last():
    address = StateAddress("hidden", 1, "reverse", 0)
    only = "the only state that direction computed; it has read the one symbol"
    assert history(BOTH, 1, address) == only


@pytest.mark.parametrize(
    ("select", "sentences"),
    [
        (
            "h_n[-1]",
            ["all of it: h[layer=1, reverse, step=0] — the last state that direction computed; it "
             "has read every symbol"],
        ),
        (
            "h_n[-2]",
            ["all of it: h[layer=1, forward, step=last] — the last state that direction computed "
             "(step 4 of sample 0, step 2 of sample 1); it has read every symbol"],
        ),
        (
            "output",
            ["columns 0 to 3, the forward half: h[layer=1, forward] at every step",
             "columns 4 to 7, the reverse half: h[layer=1, reverse] at every step",
             "[3:5, 1, :]: padding, 0 — sample 1 ends at step 2"],
        ),
        (
            "output[1:3, 0, ::2]",
            ["sample 0, columns 0 to 1: h[layer=1, forward] at steps 1 and 2",
             "sample 0, columns 2 to 3: h[layer=1, reverse] at steps 1 and 2"],
        ),
        (
            "c_n[0, 0, 2]",
            ["sample 0, all of it: c[layer=0, forward, step=4] — the last state that direction "
             "computed; it has read all 5 symbols"],
        ),
        (
            "output[..., :hidden_size] + output[..., hidden_size:]",
            ["all of it: the sum of h[layer=1, forward] and h[layer=1, reverse], step by step",
             "[3:5, 1, :]: padding, 0 — sample 1 ends at step 2"],
        ),
        (
            "output.max(0).values[1]",
            ["sample 1, elements 0 to 3, the forward half: the max of h[layer=1, forward] at every "
             "step, 0 to 2 — padding takes part",
             "sample 1, elements 4 to 7, the reverse half: the max of h[layer=1, reverse] at every "
             "step, 0 to 2 — padding takes part"],
        ),
        (
            "cat([h_n[0], c_n[0]], -1)",
            ["columns 0 to 3: h[layer=0, forward, step=last] — the last state that direction "
             "computed (step 4 of sample 0, step 2 of sample 1); it has read every symbol",
             "columns 4 to 7: c[layer=0, forward, step=last] — the last state that direction "
             "computed (step 4 of sample 0, step 2 of sample 1); it has read every symbol"],
        ),
        (
            "h_n.sum(0)",
            ["all of it: the sum of h[layer=0, forward, step=last], h[layer=0, reverse, step=0], "
             "h[layer=1, forward, step=last] and h[layer=1, reverse, step=0]"],
        ),
        (
            "output[lengths - 1, arange(batch), hidden_size:]",
            ["all of it: h[layer=1, reverse, step=length - 1] — the first state that direction "
             "computed (step 4 of sample 0, step 2 of sample 1): one step of its own; through the "
             "layer below, which runs both ways, it has read every symbol"],
        ),
        (
            "output[0]",
            ["columns 0 to 3, the forward half: h[layer=1, forward, step=0] — the first state that "
             "direction computed: one step of its own; through the layer below, which runs both "
             "ways, it has read every symbol",
             "columns 4 to 7, the reverse half: h[layer=1, reverse, step=0] — the last state that "
             "direction computed; it has read every symbol"],
        ),
        ("output[5:]", ["nothing: the shape (0, 2, 8) has no elements"]),
    ],
)  # fmt: skip
def test_sentences(select, sentences):
    assert _said(select) == sentences


@pytest.mark.parametrize(
    ("select", "options", "words"),
    [
        ("output[-1]", {}, "the reverse direction begins at the last step and ends at step 0"),
        ("output[lengths - 1, arange(batch)]", {}, "the reverse direction begins at the last step"),
        ("output[-1]", {}, "of sample 1 only padding is taken (0)"),
        ("h_n.view(batch, -1)", {}, "[0] holds samples 0 and 1 side by side"),
        ("h_n.reshape(2, 2, -1)", {}, "[0, 0] holds samples 0 and 1 side by side"),
        ("h_n[:num_layers]", {}, "the first 2 are not the forward direction of each layer"),
        ("h_n[-1]", {}, "this is the reverse direction alone"),
        ("output.mean(0)", {}, "the mean divides by padded steps too: sample 1 has 3 real steps"),
        ("output.max(0).values", {}, "padding takes part in the max of sample 1, as 0"),
        ("output[:, -1]", {}, "only sample 1 of 2 is in this: an index is on the batch"),
        ("output.mean(1)", {}, "one element brings samples 0 and 1 together"),
        ("output[:, -1]", {"framework": "keras"}, "last_output, which return_sequences=False"),
        ("Y[-1]", {"framework": "onnx"}, "take Y_h, which holds the last state of each direction"),
        ("outputs[:, -1]", {"framework": "flax"}, "padding is taken (a state that has read paddin"),
    ],
)
def test_a_trap_is_named(select, options, words):
    found = selection_traps(_report(select, **options).selection)
    assert any(words in trap for trap in found), found


@pytest.mark.parametrize(
    ("select", "options"),
    [
        ("torch.cat([hidden_state[-2], hidden_state[-1]], dim=-1)", {}),
        ("h_n[-2:].transpose(0, 1).reshape(batch, -1)", {}),
        ("h_n.transpose(0, 1).reshape(batch, -1)", {}),
        ("h_n.view(num_layers, num_directions, batch, hidden_size)[-1]", {}),
        ("h_n[::2]", {}),
        ("h_n[1::2]", {}),
        ("output", {}),
        ("output.sum(0)", {}),
        ("output.transpose(0, 1)", {}),
        ("output.reshape(-1, 2 * hidden_size)", {}),
        ("output[0]", {"lengths": [5, 5]}),
        ("output[2]", {"lengths": [5, 5]}),
        ("output.mean(0)", {"lengths": [5, 5]}),
        ("output[..., :hidden_size] + output[..., hidden_size:]", {}),
        ("last_output", {"framework": "keras"}),
        ("Y_h", {"framework": "onnx"}),
        ("carry[0][1]", {"framework": "flax"}),
    ],
)
def test_what_is_right_brings_no_warning(select, options):
    assert selection_traps(_report(select, **options).selection) == ()


def test_forward_only_has_no_trap_at_the_last_step():
    part = _report("output[-1]", StackShape("gru", 2, 4, 2), lengths=[5, 5]).selection
    assert selection_traps(part) == ()


def test_batch_first_is_guessed_and_said_where_only_that_takes_steps():
    plain = explain_selection(BOTH, 5, "output[:, -1]")
    assert plain.selection.batch_first
    assert plain.selection.notes == (
        "Read with batch_first=True; with PyTorch's default it would take samples where it takes "
        "steps.",
    )
    assert "Read with batch_first=True" in plain.text()
    assert "Read with batch_first=True" in plain.html()
    failing = explain_selection(BOTH, 5, "output[:, 4]").selection
    assert failing.notes[0].endswith("with PyTorch's default it would fail.")
    sums = "output[:, -1, :hidden_size] + output[:, 0, hidden_size:]"
    assert explain_selection(BOTH, 5, sums).selection.batch_first
    for select in ("output[-1]", "h_n[-1]", "output", "output.mean(0)"):
        assert explain_selection(BOTH, 5, select).selection.notes == ()


def test_an_element_can_be_asked():
    part = _report("output[-1]").selection
    assert str(part.at(0, -1)[0].address) == "h[layer=1, reverse, step=4]"
    assert part.at(0, -1)[0].unit == 3
    assert part.at(1, 0)[0].address is None
    assert part.addresses(1) == frozenset()
    with pytest.raises(IndexError, match=r"there is no element \(2, 0\) in a tensor of shape"):
        part.at(2, 0)
    with pytest.raises(IndexError, match="1 integers do not name an element"):
        part.at(0)
    with pytest.raises(LookupError, match="is about no selected tensor"):
        _ = Report("T", ()).selection


def test_many_kinds_of_samples_do_not_flood_the_page():
    lengths = list(range(1, 41))
    report = explain_selection(StackShape("gru", 1, 2), 40, "output[-1]", lengths=lengths)
    assert report.text().count("forward →") == 6
    assert "Grids not drawn" in report.text()


@pytest.mark.parametrize("framework", ["torch", "keras", "onnx", "flax"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", ["rnn_tanh", "gru", "lstm"])
def test_each_framework_has_its_table_and_comes_back_from_json(cell, both, framework):
    shape = StackShape(cell, 1, 4, 2, both)
    report = explain_selection(shape, 3, framework=framework, lengths=[3, 2])
    assert "returns" in report.text()
    assert Report.from_json(report.to_json()) == report
    name = {"torch": "output", "keras": "output", "onnx": "Y", "flax": "outputs"}[framework]
    selected = explain_selection(shape, 3, name, framework=framework, lengths=[3, 2])
    assert Report.from_json(selected.to_json()) == selected
    assert selected.svg()
    assert selected.html()
    held = {sources[0].address for sources in selected.selection}
    assert len(held - {None}) == 3 * (1 + both)


def test_what_is_alike_of_many_samples_is_said_once():
    lengths = list(range(1, 31))
    shape = StackShape("gru", 1, 2, 1, True)
    for select, most in (
        ("output.max(0).values", 6),
        ("output[lengths - 1, arange(batch)]", 4),
        ("output", 3),
        ("output[-1]", 3),
    ):
        part = explain_selection(shape, 30, select, lengths=lengths, batch_first=False).selection
        assert len(selection_sentences(part)) <= most


def test_more_places_than_one_reads_are_counted():
    lengths = list(range(1, 61))
    shape = StackShape("gru", 1, 2, 1, True)
    report = explain_selection(shape, 60, "output[lengths // 2]", lengths=lengths)
    left = len(selection_sentences(report.selection)) - 40
    assert left > 0
    rest = f"… and {left} places more; the JSON has them all"
    assert rest in report.text()
    assert rest in report.html()


def test_a_sample_of_one_step_goes_with_the_others():
    part = explain_selection(
        BOTH, 5, "output[lengths - 1, arange(batch)]", lengths=[1, 5, 3], batch_first=False
    ).selection
    forward, reverse = map(str, selection_sentences(part))
    assert forward.startswith("columns 0 to 3, the forward half: h[layer=1, forward, step=last] — ")
    assert "the last state that direction computed (step 0 of sample 0, step 4 of s" in forward
    assert reverse.startswith("columns 4 to 7, the reverse half: h[layer=1, reverse, step=length")
    assert "the first state that direction computed (step 0 of sample 0, step 4 of" in reverse
