"""An architecture is built as told, or refused with all its faults in one sentence."""

import re
from itertools import product

import pytest

from unrolled.errors import ModelError
from unrolled.nn import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention
from unrolled.seq2seq import Architecture, build

SOUND: dict[str, object] = {
    "source_vocab_size": 9,
    "target_vocab_size": 7,
    "embedding_size": 4,
    "encoder_hidden_size": 3,
    "decoder_hidden_size": 5,
}
START = "this architecture cannot be built: "


def refusal(**choices: object) -> str:
    with pytest.raises(ModelError) as refused:
        build(Architecture(**(SOUND | choices)))
    return str(refused.value)


@pytest.mark.parametrize(
    ("attention", "made"),
    [
        ("additive", AdditiveAttention),
        ("concat", ConcatAttention),
        ("general", GeneralAttention),
        ("dot", DotAttention),
    ],
)
def test_the_attention_is_the_one_asked_for(attention: str, made: type) -> None:
    model = build(Architecture(**(SOUND | {"attention": attention, "decoder_hidden_size": 6})))
    assert type(model.decoder.attention) is made


@pytest.mark.parametrize(
    ("cell", "decoder_cell", "layers"),
    list(product(("lstm", "gru", "rnn_tanh"), (None, "lstm", "rnn_relu"), (1, 2))),
)
def test_the_stacks_are_those_asked_for(cell: str, decoder_cell: str | None, layers: int) -> None:
    choices = {"cell": cell, "decoder_cell": decoder_cell, "decoder_layers": layers}
    model = build(Architecture(**(SOUND | choices), encoder_layers=3, bidirectional=False))
    assert (model.encoder.shape.cell, model.encoder.shape.num_layers) == (cell, 3)
    assert not model.encoder.shape.bidirectional
    decoder = model.decoder.shape
    assert (decoder.cell, decoder.num_layers, decoder.hidden_size) == (
        decoder_cell or cell,
        layers,
        5,
    )
    if decoder.cell == "lstm":
        source = "c" if cell == "lstm" else "h"
        assert f"decoder c[layer=0] ← project(encoder {source}[layer=2" in str(model.bridge)


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        *(
            ({name: value}, f"{name} is {value!r}; it must be a whole number of {least} or more")
            for name, least in (
                ("source_vocab_size", 4),
                ("target_vocab_size", 4),
                ("embedding_size", 1),
                ("encoder_hidden_size", 1),
                ("decoder_hidden_size", 1),
                ("encoder_layers", 1),
                ("decoder_layers", 1),
                ("attention_size", 1),
            )
            for value in (0, -2, 1.5, "many", True)
        ),
        ({"cell": "elman"}, "cell is 'elman'; it must be one of "),
        ({"decoder_cell": "elman"}, "decoder_cell is 'elman'; it must be one of "),
        (
            {"attention": "hard"},
            "attention is 'hard'; it must be one of additive, dot, general, concat",
        ),
        (
            {"bridge_hidden": "add"},
            "bridge_hidden is 'add'; it must be one of concat, sum, mean, project, copy, zero, "
            "learned",
        ),
        (
            {"bridge_layers": "all"},
            "bridge_layers is 'all'; it must be one of match, top, repeat",
        ),
        (
            {"bridge_cell": "no"},
            "bridge_cell is 'no'; it must be one of from_cell, from_hidden, zero",
        ),
        *(
            ({"dropout": value}, f"dropout is {value!r}; it must be from 0 to below 1")
            for value in (1.0, -0.1, "some")
        ),
        (
            {"attention": "dot"},
            "attention='dot' needs decoder_hidden_size to be the size of the memory, 6, but it is "
            "5; use 'general' instead",
        ),
        (
            {"tie_embeddings": True},
            "tie_embeddings needs embedding_size and decoder_hidden_size to be the same, but they "
            "are 4 and 5",
        ),
        (
            {"attention": "general", "attention_size": 3},
            "attention_size is 3, but attention='general' has no inner features; leave ",
        ),
        (
            {"bridge_layers": "match", "decoder_layers": 2},
            "bridge: layers='match' needs as many layers on both sides, but the encoder has 1 ",
        ),
        ({"bridge_hidden": "concat"}, "makes a state of 6, but the decoder needs 5; change a "),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_each_fault_has_its_sentence(choices: dict[str, object], fault: str) -> None:
    message = refusal(**choices)
    assert message.startswith(START)
    assert fault in message
    assert message.endswith(".")
    assert "; it must" not in message.replace("; it must", "", 1)


@pytest.mark.usefixtures("as_users_call")
def test_all_faults_are_reported_together() -> None:
    message = refusal(
        source_vocab_size=0,
        decoder_layers=-1,
        attention="dot",
        attention_size=0,
        bridge_cell="no",
        dropout=2,
        tie_embeddings=True,
    )
    places = [
        message.index(part)
        for part in (
            "source_vocab_size is 0",
            "decoder_layers is -1",
            "attention_size is 0",
            "bridge_cell is 'no'",
            "dropout is 2",
            "tie_embeddings needs",
            "attention='dot' needs",
        )
    ]
    assert places == sorted(places)


def test_what_does_not_fit_is_reported_together() -> None:
    message = refusal(attention="dot", bridge_hidden="concat", tie_embeddings=True)
    assert re.search(r"tie_embeddings needs .*; attention='dot' needs .*; bridge: ", message)


def test_sizes_beyond_all_memory_are_refused() -> None:
    with pytest.raises(ModelError, match=r"cannot be built \(.*\); make its sizes smaller\.$"):
        build(Architecture(source_vocab_size=9, target_vocab_size=9, embedding_size=10**13))
