"""The receptive field of a state of an encoder-decoder: what gradients reach beyond the bridge."""

import re

import pytest
import torch
from drawn_grid import drawn_grids
from test_explain_run import _transducer

from unrolled.errors import UsageError
from unrolled.explanation import GridPart, Report, explain_run
from unrolled.explanation._receptive_field import receptive_field
from unrolled.grid import StateAddress

MODELS = {
    "lstm": {"encoder_layers": 2, "decoder_layers": 2, "bridge_layers": "match"},
    "top": {"encoder_layers": 2, "decoder_layers": 2},
    "gru, fed": {"cell": "gru", "input_feeding": True, "decoder_layers": 2},
    "forward only": {"cell": "rnn_tanh", "bidirectional": False},
    "gru to lstm": {"cell": "gru", "decoder_cell": "lstm", "bridge_hidden": "learned"},
    "learned, fed": {"cell": "gru", "input_feeding": True, "bridge_hidden": "learned"},
    "cell zero": {"encoder_layers": 2, "decoder_layers": 2, "bridge_cell": "zero"},
}


def _long(choices):
    """A model that says a few symbols before it stops."""
    transducer = _transducer(**choices)
    with torch.no_grad():
        transducer.model.decoder.vocabulary.bias[2] -= 1.5
    return transducer


def _reached_by_gradients(model, source, symbols, chosen):
    """The states of the encoder that a state of the decoder reads straight, and what made those."""
    model.eval()
    encoder = model.encoder.layer.unroll(model.encoder.embedding(torch.tensor([source])))
    planes = {"hidden": encoder.hidden, "cell": encoder.cell}
    planes = {kind: plane for kind, plane in planes.items() if plane is not None}
    cell = encoder.cell_state if encoder.cell is not None else None
    hidden, cell = model.bridge(encoder.hidden_state, cell)
    state = model.decoder.start(encoder.output, encoder.mask, hidden, cell)
    for symbol in symbols[: chosen.step + 1]:
        _, _, state = model.decoder.step(torch.tensor([symbol]), state)
    value = (state.hidden if chosen.kind == "hidden" else state.cell)[chosen.layer]
    slopes = torch.autograd.grad(value.sum(), list(planes.values()), allow_unused=True)
    field = set()
    for (kind, plane), slope in zip(planes.items(), slopes, strict=True):
        if slope is None:
            continue
        for layer, way, step in slope[..., 0, :].abs().sum(-1).nonzero():
            direction = ("forward", "reverse")[int(way)]
            read = StateAddress(kind, int(layer), direction, int(step))
            field |= receptive_field(model.encoder.shape, plane.shape[2], read)
    return field


@pytest.mark.parametrize("choices", MODELS.values(), ids=MODELS)
def test_what_gradients_reach_is_marked(choices):
    transducer = _long(choices)
    model, shape = transducer.model, transducer.model.decoder.shape
    source = transducer.source_symbols.encode("tact")
    symbols = transducer.target_symbols
    ids = {symbols.id_to_piece(number): number for number in range(len(symbols))}
    said = [ids[symbol] for symbol in explain_run(transducer, "tact").grid("decoder").symbols]
    assert len(said) > 2
    for kind in ("hidden", "cell") if shape.has_cell_state else ("hidden",):
        for layer in range(shape.num_layers):
            for step in (0, 1, len(said) - 1):
                chosen = StateAddress(kind, layer, "forward", step)
                report = explain_run(transducer, "tact", field=f"decoder {chosen}")
                encoder, decoder = report.grid("encoder"), report.grid("decoder")
                assert encoder.field == _reached_by_gradients(model, source, said, chosen)
                assert (encoder.chosen, decoder.chosen) == (None, chosen)
                own = {a for a in decoder.field if a.layer > layer}
                fed = model.decoder.input_feeding and step > 0 and layer + 1 < shape.num_layers
                assert bool(own) == fed
                assert all(address.step < step for address in own)


def test_each_form_marks_it():
    transducer = _long(MODELS["lstm"])
    for field in ("decoder c[layer=1, forward, step=1]", "encoder h[layer=0, reverse, step=2]"):
        report = explain_run(transducer, "tact", field=field)
        assert Report.from_json(report.to_json()) == report
        parts = report.of(GridPart)
        for document in (report.svg(), report.html(), report._repr_html_()):
            for part, states in zip(parts, drawn_grids(document), strict=True):
                assert {state.address for state in states if state.in_field} == part.field
        marks = sum(report.text().count(f"({mark})") for mark in "·○●◉")
        assert marks == sum(len(part.field) for part in parts)


def test_one_sentence_tells_what_the_encoder_gave():
    report = explain_run(_long(MODELS["lstm"]), "tact", field="decoder h[layer=0, forward, step=1]")
    text = " ".join(report.text().split())
    assert (
        "decoder h[layer=0, forward, step=1] was computed from 16 of these 32 states, and so from "
        "every symbol." in text
    )
    assert "h[layer=0, forward, step=1] has read 2 of" in text
    report = explain_run(
        _long(MODELS["gru to lstm"]), "tact", field="decoder h[layer=0, forward, step=1]"
    )
    assert "h[layer=0, forward, step=1] was computed from none of these states." in report.text()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("h[layer=0, forward, step=0]", "does not say whose it is; write encoder or decoder in f"),
        ("", "the state '' does not say whose it is"),
        ("encoder h[layer=0, forward, step=9]", "of the encoder, there is no state h[layer=0, for"),
        ("decoder h[layer=0, reverse, step=0]", "of the decoder, there is no state h[layer=0, re"),
        ("decoder c[layer=0, forward, step=0]", "a gru has no cell state"),
        ("encoder", "of the encoder, '' is not a state address"),
        ("decoder h[layer=0, forward, step=last]", "which step is the last depends on the sample"),
    ],
)
def test_a_state_that_the_run_has_not(field, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        explain_run(_transducer(cell="gru"), "cat", field=field)
