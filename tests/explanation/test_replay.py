"""The replay of a run is the run: same states, same attention, same probability."""

import pytest
import torch

from unrolled.explanation._replay import replay
from unrolled.explanation._state_norms import state_norms
from unrolled.grid import StateAddress
from unrolled.seq2seq import BEGIN, END, Architecture, Seq2Seq, beam_search, build

SOURCE = [4, 7, 5, 5, 6]


def _model(**choices) -> Seq2Seq:
    torch.manual_seed(0)
    sizes = {"embedding_size": 5, "encoder_hidden_size": 6, "decoder_hidden_size": 7}
    architecture = Architecture(source_vocab_size=9, target_vocab_size=11, **sizes, **choices)
    return build(architecture).eval()


MODELS = {
    "lstm, two layers": {"encoder_layers": 2, "decoder_layers": 2, "dropout": 0.5},
    "fed": {"input_feeding": True, "attention": "additive"},
    "gru forward only": {"cell": "gru", "bidirectional": False, "decoder_layers": 2},
    "gru to lstm": {"cell": "gru", "decoder_cell": "lstm"},
    "rnn": {"cell": "rnn_tanh", "bridge_hidden": "zero"},
}


@pytest.mark.parametrize("choices", MODELS.values(), ids=MODELS)
def test_the_replay_is_the_run(choices):
    model = _model(**choices)
    source, lengths = torch.tensor([SOURCE]), torch.tensor([len(SOURCE)])
    ((found,),) = beam_search(
        model, source, lengths, torch.tensor([6]), beam_size=3, attention=True
    )
    model.train()  # dropout must not reach the replay
    seen = replay(model, SOURCE, found.symbols)
    assert model.training
    model.eval()
    assert seen.log_probability == pytest.approx(found.log_probability, abs=1e-5)
    torch.testing.assert_close(seen.weights, found.attention)
    torch.testing.assert_close(seen.weights.sum(1), torch.ones(len(found.symbols) + 1))

    with torch.inference_mode():
        encoded = model.encoder(source, lengths)
        torch.testing.assert_close(seen.encoder.output, encoded.memory)
        torch.testing.assert_close(seen.encoder.hidden_state, encoded.hidden_state)
        assert (seen.encoder.cell is None) == (encoded.cell_state is None)

        state = model.start(source, lengths)
        for step, symbol in enumerate([BEGIN, *found.symbols]):
            _, _, state = model.decoder.step(torch.tensor([symbol]), state)
            for layer in range(model.decoder.shape.num_layers):
                h = seen.decoder.at(layer, "forward", step)
                torch.testing.assert_close(h, state.hidden[layer])
                if state.cell is not None:
                    c = seen.decoder.at(layer, "forward", step, "cell")
                    torch.testing.assert_close(c, state.cell[layer])


def test_a_target_that_the_model_would_not_say():
    model = _model()
    target = [5, 4, 9]
    seen = replay(model, SOURCE, target)
    expected = model.score(
        torch.tensor([SOURCE]),
        torch.tensor([len(SOURCE)]),
        torch.tensor([[BEGIN, *target]]),
        torch.tensor([[*target, END]]),
        torch.tensor([len(target) + 1]),
    )
    assert seen.log_probability == pytest.approx(expected.item(), abs=1e-5)


def test_norms_are_those_of_the_states():
    model = _model(encoder_layers=2)
    seen = replay(model, SOURCE, [5])
    norms = state_norms(seen.encoder)
    assert len(norms) == 2 * 2 * 2 * len(SOURCE)
    for address, norm in norms.items():
        assert norm == pytest.approx(seen.encoder.at(address)[0].norm().item(), rel=1e-5)
    assert StateAddress("cell", 1, "reverse", 4) in norms
