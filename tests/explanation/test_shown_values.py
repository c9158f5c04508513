"""The numbers a report tells of a run are those of the equations, in each of its forms."""

import json
import re
from xml.etree import ElementTree

import pytest
import torch
from test_explain_run import _transducer
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled.nn
from unrolled import explain
from unrolled.errors import UsageError
from unrolled.explanation import GridPart, Report, explain_run
from unrolled.grid import StateAddress

SVG = "{http://www.w3.org/2000/svg}"
LSTM = {"input_gate": ("cell", 0), "forget_gate": ("cell", 1), "output_gate": ("hidden", 3)}
GRU = {"reset_gate": ("hidden", 0), "update_gate": ("hidden", 1)}


def _by_hand(layer, gate: str, x, h0=None, c0=None) -> tuple[dict, dict]:
    """A gate and the norms of one sample, from the equations, step by step; x is (step, input)."""
    lstm = layer.mode == "LSTM" if isinstance(layer, nn.RNNBase) else layer.shape.cell == "lstm"
    kind, block = (LSTM if lstm else GRU)[gate]
    size, gates, norms = layer.hidden_size, {}, {}
    row = 0
    for number in range(layer.num_layers):
        lanes = []
        for direction in ("forward", "reverse")[: 1 + layer.bidirectional]:
            suffix = f"_l{number}" + ("_reverse" if direction == "reverse" else "")
            w, u, b, d = (
                getattr(layer, name + suffix).detach()
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h = torch.zeros(size) if h0 is None else h0[row]
            c = torch.zeros(size) if c0 is None else c0[row]
            made = {}
            order = range(len(x)) if direction == "forward" else reversed(range(len(x)))
            for step in order:
                one, two = (w @ x[step] + b).split(size), (u @ h + d).split(size)
                opened = torch.sigmoid(one[block] + two[block])
                gates[StateAddress(kind, number, direction, step)] = opened.mean().item()
                if lstm:
                    i, f, g, o = (p + q for p, q in zip(one, two, strict=True))
                    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                    h = o.sigmoid() * c.tanh()
                    norms[StateAddress("cell", number, direction, step)] = c.norm().item()
                else:
                    r, z = (one[n] + two[n] for n in range(2))
                    n = torch.tanh(one[2] + r.sigmoid() * two[2])
                    h = (1 - z.sigmoid()) * n + z.sigmoid() * h
                norms[StateAddress("hidden", number, direction, step)] = h.norm().item()
                made[step] = h
            lanes.append(torch.stack([made[step] for step in range(len(x))]))
            row += 1
        x = torch.cat(lanes, -1)
    return gates, norms


def _gates(part: GridPart) -> dict:
    return {entry.address: entry.gate for entry in part.states if entry.gate is not None}


def _norms(part: GridPart) -> dict:
    return {entry.address: entry.norm for entry in part.states}


@pytest.mark.parametrize("gate", [*LSTM, *GRU])
@pytest.mark.parametrize("theirs", [False, True])
def test_gates_and_norms_are_those_of_the_equations(gate, theirs):
    torch.manual_seed(0)
    module, name = (nn if theirs else unrolled.nn), "LSTM" if gate in LSTM else "GRU"
    layer = getattr(module, name)(3, 4, 2, bidirectional=True, batch_first=True)
    x, lengths = torch.randn(3, 5, 3), [5, 2, 1]
    output = layer(x)[0] if theirs else layer(x, lengths=lengths)[0]
    report = explain(output, layer, x, lengths, values=gate)
    assert Report.from_json(report.to_json()) == report
    for part, sample, length in zip(report.of(GridPart), x, lengths, strict=True):
        assert part.values == gate
        gates, norms = _by_hand(layer, gate, sample[:length])
        assert _gates(part) == pytest.approx(gates, abs=1e-5)
        assert _norms(part) == pytest.approx(norms, abs=1e-5)


@pytest.mark.parametrize("form", ["padded", "batch first", "unbatched", "packed", "named"])
@pytest.mark.parametrize("kind", [nn.LSTM, unrolled.nn.LSTM, nn.GRU, unrolled.nn.GRU])
def test_of_a_function_the_run_is_told_that_it_made(form, kind):
    """With its initial state, and in evaluation, which the numbers of a layer in training need."""
    torch.manual_seed(0)
    first = form == "batch first"
    layer = kind(3, 4, 2, dropout=0.5, batch_first=first)
    x, hidden, cell = torch.randn(5, 2, 3), torch.randn(2, 2, 4), torch.randn(2, 2, 4)
    gate = "forget_gate" if "LSTM" in kind.__name__ else "update_gate"
    lengths = [5, 5]

    def called(x):
        start = (hidden, cell) if gate == "forget_gate" else hidden
        if form == "unbatched":
            one = (hidden[:, 0], cell[:, 0]) if gate == "forget_gate" else hidden[:, 0]
            return layer(x[:, 0], one)[0]
        if form == "packed":
            return layer(pack_padded_sequence(x, [5, 3]), start)[1]
        if form == "named":
            return layer(input=x, hx=start)[0]
        return layer(x.transpose(0, 1) if first else x, start)[0]

    if form == "packed":
        lengths = [5, 3]
    first_of = (lambda found: found[0]) if gate == "forget_gate" else (lambda found: found)
    function = (lambda x: first_of(called(x))) if form == "packed" else called
    report = explain(function, layer, x, values=gate, field="h[layer=0, forward, step=1]")
    assert layer.training
    parts = report.of(GridPart)
    assert len(parts) == (1 if form == "unbatched" else 2)
    for sample, part in enumerate(parts):
        own = x[: lengths[sample], sample]
        gates, norms = _by_hand(layer, gate, own, hidden[:, sample], cell[:, sample])
        assert _gates(part) == pytest.approx(gates, abs=1e-5)
        assert _norms(part) == pytest.approx(norms, abs=1e-5)
        assert str(part.chosen) == "h[layer=0, forward, step=1]"


def _decoder_input(model, symbols, source):
    """What the decoder's stack reads, and the states that it starts from."""
    model.eval()
    encoded = model.encoder.layer.unroll(model.encoder.embedding(torch.tensor([source])))
    cell = encoded.cell_state if encoded.cell is not None else None
    hidden, cell = model.bridge(encoded.hidden_state, cell)
    state = model.decoder.start(encoded.output, encoded.mask, hidden, cell)
    read = []
    for symbol in symbols:
        embedded = model.decoder.embedding(torch.tensor([symbol]))
        fed = [] if state.attentional is None else [state.attentional]
        read.append(torch.cat([embedded, *fed], -1)[0])
        _, _, state = model.decoder.step(torch.tensor([symbol]), state)
    return torch.stack(read), hidden[:, 0], None if cell is None else cell[:, 0]


@pytest.mark.parametrize(
    ("choices", "gate"),
    [
        ({"encoder_layers": 2, "decoder_layers": 2, "bridge_layers": "match"}, "forget_gate"),
        ({"input_feeding": True}, "output_gate"),
        ({"cell": "gru", "input_feeding": True, "attention": "concat"}, "update_gate"),
        ({"cell": "gru", "bidirectional": False, "decoder_layers": 2}, "reset_gate"),
    ],
)
@torch.no_grad()
def test_of_a_models_run(choices, gate):
    transducer = _transducer(**choices)
    model = transducer.model
    model.decoder.vocabulary.bias[2] -= 1.5
    report = explain_run(transducer, "tact", values=gate)
    encoder, decoder = report.grid("encoder"), report.grid("decoder")
    source = transducer.source_symbols.encode("tact")
    x = model.encoder.embedding(torch.tensor(source))
    symbols = transducer.target_symbols
    ids = {symbols.id_to_piece(number): number for number in range(len(symbols))}
    assert decoder.steps > 1
    read, hidden, cell = _decoder_input(model, [ids[s] for s in decoder.symbols], source)
    for part, layer, given in (
        (encoder, model.encoder.layer, (x,)),
        (decoder, model.decoder.layer, (read, hidden, cell)),
    ):
        gates, norms = _by_hand(layer, gate, *given)
        assert _gates(part) == pytest.approx(gates, abs=1e-5)
        assert _norms(part) == pytest.approx(norms, abs=1e-5)


def test_where_one_stack_lacks_the_gate_it_is_told_no_numbers():
    transducer = _transducer(cell="gru", decoder_cell="lstm", bridge_hidden="learned")
    report = explain_run(transducer, "cat", values="forget_gate")
    assert [part.values for part in report.of(GridPart)] == ["", "forget_gate"]
    assert _gates(report.grid("encoder")) == {}
    assert report.text().count("The value of a state is") == 1


@pytest.mark.parametrize("values", ["norm", "forget_gate"])
def test_each_form_tells_the_numbers(values):
    report = explain_run(_transducer(encoder_layers=2), "tact", values=values)
    picture, page, text = report.svg(), report.html(), report.text()
    written = json.loads(report.to_json())
    for document in (picture, page, " ".join(text.split()), report._repr_html_()):
        assert "The value of a state is" in document
    assert Report.from_json(report.to_json()) == report
    root = ElementTree.fromstring(picture)
    drawn = {
        (place, group.attrib["data-address"]): group
        for place, parent in enumerate(
            parent for parent in root.iter() if any(c.get("class") == "state" for c in parent)
        )
        for group in parent
        if group.get("class") == "state"
    }
    tables = [part for part in written["parts"] if part["part"] == "grid"]
    for place, (part, table) in enumerate(zip(report.of(GridPart), tables, strict=True)):
        assert table["values"] == values
        for entry, state in zip(part.states, table["states"], strict=True):
            group = drawn[place, str(entry.address)]
            shades = [r for r in group.iter(f"{SVG}rect") if r.get("class") == "shade"]
            title = group.find(f"{SVG}title").text
            assert state.get("norm") == entry.norm
            assert state.get("gate") == entry.gate
            assert f"norm {entry.norm:.3f}" in title
            if values == "norm":
                largest = part.largest_norm[entry.address.kind]
                expected, said = (entry.norm / largest) ** 2, entry.norm
            elif entry.address.kind == "cell":
                expected = said = entry.gate
                assert f"forget gate {entry.gate:.3f}" in title
            else:
                assert entry.gate is None
                assert shades == []
                continue
            (shade,) = shades
            assert float(shade.get("fill-opacity")) == pytest.approx(expected, abs=0.01)
            assert f"{said:.3f}" in text
            assert f"{said:.3f}" in page


def test_a_long_run_is_told_in_bands():
    layer = unrolled.nn.GRU(2, 3)
    x = torch.randn(60, 1, 2)
    text = explain(layer(x)[0], layer, x, values="norm").text(width=80)
    (norms,) = explain(layer(x)[0], layer, x, values="norm").of(GridPart)
    lines = text.splitlines()
    begun = lines.index("The value of a state is its Euclidean norm.")
    rows = [line for line in lines[begun:] if line.startswith("  layer 0  ")]
    told = [number for row in rows for number in re.findall(r"\d\.\d+", row)]
    assert told == [f"{entry.norm:.3f}" for entry in norms.states]
    assert max(map(len, lines[begun : begun + 20])) <= 80
    assert len(rows) > 1


def test_numbers_of_any_size_are_told():
    layer = nn.RNN(1, 2, nonlinearity="relu")
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(1)
    for scale, told in ((1e6, "1e+06"), (0.0, "2.828"), (1e30, "1e+30")):
        x = torch.full((1, 1, 1), scale)
        assert told in explain(layer(x)[0], layer, x, values="norm").text()


def test_a_recorded_run_tells_norms_and_of_which_cell_it_may_be():
    layer = nn.RNN(3, 4)
    ours = unrolled.nn.RNN(3, 4)
    ours.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    states = ours.unroll(x)
    recorded = explain(layer(x)[0], states, values="norm")
    assert "gru" not in recorded.text() + recorded.svg()
    assert "Sample 0: 1 layer, 5 steps" in recorded.text()
    run = explain(layer(x)[0], layer, x, values="norm")
    assert "Sample 0: rnn_tanh, 1 layer, 5 steps" in run.text()
    for one, other in zip(recorded.of(GridPart), run.of(GridPart), strict=True):
        assert _norms(one) == pytest.approx(_norms(other), abs=1e-6)
    arrays = states.map(lambda a: a.detach().numpy())
    assert _norms(explain(layer(x)[0], arrays, values="norm").of(GridPart)[1]) == _norms(
        recorded.of(GridPart)[1]
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("forget_gate", "values is 'forget_gate', a gate of lstm, and this run is of gru; it has"),
        ("gate", "values is 'gate'; a run of gru has norm, reset_gate, update_gate"),
        ("", "values is ''; a run of gru has norm, reset_gate, update_gate"),
    ],
)
def test_values_that_a_run_has_not(values, message):
    layer, x = unrolled.nn.GRU(3, 4), torch.randn(5, 2, 3)
    calls = (
        lambda: explain(layer(x)[0], layer, x, values=values),
        lambda: explain(lambda x: layer(x)[0], layer, x, values=values),
        lambda: explain_run(_transducer(cell="gru"), "cat", values=values),
    )
    for call in calls:
        with pytest.raises(UsageError, match=re.escape(message)):
            call()


def test_a_gate_of_a_recorded_run_and_a_field_that_it_has_not():
    layer, x = unrolled.nn.GRU(3, 4), torch.randn(5, 2, 3)
    with pytest.raises(UsageError, match="a recorded run does not tell the weights that make a"):
        explain(layer(x)[0], layer.unroll(x), values="update_gate")
    for field, message in (
        ("h[layer=1, forward, step=0]", "the stack has layer 0 only"),
        ("c[layer=0, forward, step=0]", "this run has no cell state; ask for the h of the same"),
        ("h", "'h' is not a state address"),
    ):
        with pytest.raises(UsageError, match=message):
            explain(layer(x)[0], layer.unroll(x), field=field)
