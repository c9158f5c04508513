"""The report of a trained model's run says what the model itself says."""

from xml.etree import ElementTree

import pytest
import torch
from drawn_grid import check_grid, check_places, drawn_grids

from unrolled.errors import DataError
from unrolled.explanation import (
    AttentionPart,
    BridgePart,
    GridPart,
    PredictionPart,
    Report,
    explain_run,
    render_html,
)
from unrolled.seq2seq import Architecture, Transducer, build, train_symbols

WORDS = ["cat", "act", "tact", "שלום", "e\u0301te\u0301", "<b>&amp;", "a b"]
PHONES = ["K AE1 T", "AE1 K T", "T AE1 K T", "<end> X", "Y Z"]


def _transducer(source_kind="characters", **choices) -> Transducer:
    torch.manual_seed(1)
    size = 24 if source_kind == "bpe" else None
    source = train_symbols(WORDS, source_kind, vocab_size=size)
    target = train_symbols(PHONES, "separator")
    architecture = Architecture(
        source_vocab_size=len(source),
        target_vocab_size=len(target),
        embedding_size=6,
        encoder_hidden_size=5,
        decoder_hidden_size=7,
        **choices,
    )
    model = build(architecture)
    with torch.no_grad():  # an untrained model would hardly ever stop
        model.decoder.vocabulary.bias[2] += 1.0
    return Transducer(model, architecture, source, target)


MODELS = {
    "lstm": {"encoder_layers": 2, "decoder_layers": 2, "bridge_layers": "match"},
    "gru, fed": {"cell": "gru", "input_feeding": True, "attention": "concat"},
    "forward only": {"cell": "rnn_tanh", "bidirectional": False},
    "bpe": {"source_kind": "bpe", "decoder_cell": "gru"},
    "gru to lstm": {"cell": "gru", "decoder_cell": "lstm", "bridge_hidden": "learned"},
}


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("choices", MODELS.values(), ids=MODELS)
def test_it_says_what_the_model_says(choices, text):
    transducer = _transducer(**choices)
    report = explain_run(transducer, text, beam_size=4, n_best=2)
    kinds = [PredictionPart, GridPart, BridgePart, GridPart, AttentionPart]
    assert [type(part) for part in report.parts] == kinds
    assert Report.from_json(report.to_json()) == report
    said, encoder, bridge, decoder, attention = report.parts

    (predictions,) = transducer.predict([text], beam_size=4, n_best=2, attention=True)
    assert [guess.text for guess in said.guesses] == [found.text for found in predictions]
    assert [guess.score for guess in said.guesses] == [found.score for found in predictions]
    best = predictions[0]
    assert encoder.symbols == attention.source == tuple(transducer.source_symbols.pieces(text))
    assert decoder.symbols == ("<begin>", *best.target_pieces)
    assert decoder.predicted == attention.target == (*best.target_pieces, "<end>")
    torch.testing.assert_close(
        torch.tensor(attention.weights[:-1]).reshape(best.attention.shape),
        best.attention,
        atol=1e-5,
        rtol=0,
    )
    assert "\n".join(bridge.lines) == repr(transducer.model.bridge)

    grids = drawn_grids(report.svg())
    for part, states in zip((encoder, decoder), grids, strict=True):
        check_grid(part, states)
        check_places(part, states)
    ElementTree.fromstring(report.html().removeprefix("<!DOCTYPE html>\n"))
    assert str(said.guesses[0].text) in report.text()


def test_norms_are_those_of_what_leaves_the_encoder():
    transducer = _transducer(encoder_layers=2)
    encoder = explain_run(transducer, "cat").grid("encoder")
    ids = transducer.source_symbols.encode("cat")
    transducer.model.eval()
    encoded = transducer.model.encoder(torch.tensor([ids]), torch.tensor([3]))
    tensors = {"hidden_state": encoded.hidden_state[:, 0], "cell_state": encoded.cell_state[:, 0]}
    tensors["output"] = encoded.memory[0]
    checked = 0
    for entry in encoder.states:
        for slot in entry.slots:
            value = tensors[slot.tensor][slot.index, slice(*slot.columns)]
            assert entry.norm == pytest.approx(value.norm().item(), abs=1e-5)
            checked += 1
    assert checked == 3 * 2 + 4 + 4


def test_what_training_never_saw_is_named():
    report = explain_run(_transducer(), "czt")
    (said,) = report.of(PredictionPart)
    assert said.unknown == ("z",)
    assert "not seen in training: z" in report.text()
    assert "not seen in training: z" in report.svg()
    assert "not seen in training: z" in report.html()
    assert "not seen" not in explain_run(_transducer(), "cat").text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text 0 is '', which holds no symbols"),
        ("a" * 201, "the text has 201 symbols; a run of at most 200 can be drawn"),
    ],
)
def test_what_can_not_be_drawn(text, message):
    with pytest.raises(DataError, match=message):
        explain_run(_transducer(), text)


def test_the_model_stays_as_it_was():
    transducer = _transducer(dropout=0.5)
    transducer.model.train()
    before = {name: tensor.clone() for name, tensor in transducer.model.state_dict().items()}
    one, other = (explain_run(transducer, "cat") for _ in range(2))
    assert one == other
    assert transducer.model.training
    assert all(map(torch.equal, before.values(), transducer.model.state_dict().values()))


def test_a_page_of_several_runs():
    transducer = _transducer()
    reports = [explain_run(transducer, word) for word in WORDS]
    page = render_html(reports, title="Runs", scores={"WER %": 12.5})
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    assert len(drawn_grids(page)) == 2 * len(WORDS)
    assert "12.50" in "".join(root.itertext())
