"""The decoder: a known target at once, step by step, and from several rows per source."""

from itertools import product

import pytest
import torch
from tiny_models import VOCAB, padded, teacher, tiny_model
from torch import Tensor

from unrolled.nn import DotAttention
from unrolled.seq2seq import AttentionDecoder, Decoded, DecoderState, Encoder, SequenceLoss

CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
SOURCES = [[4, 5, 6], [5], [6, 6, 4, 5]]
TARGETS = [[4, 4], [6, 5, 4, 5], [5]]


def stepped(decoder: AttentionDecoder, target_in: Tensor, state: DecoderState) -> Decoded:
    logits, weights = [], []
    for step in range(target_in.shape[1]):
        said, read, state = decoder.step(target_in[:, step], state)
        logits.append(said)
        weights.append(read)
    return Decoded(torch.stack(logits, dim=1), torch.stack(weights, dim=1))


@pytest.mark.parametrize(("cell", "layers", "feeding"), list(product(CELLS, (1, 2), (False, True))))
def test_a_known_target_is_the_same_step_by_step(cell: str, layers: int, feeding: bool) -> None:
    model = tiny_model(cell=cell, decoder_layers=layers, input_feeding=feeding)
    target_in, _, lengths = teacher(TARGETS)
    at_once = model(*padded(SOURCES), target_in, lengths)
    by_step = stepped(model.decoder, target_in, model.start(*padded(SOURCES)))
    torch.testing.assert_close(at_once, by_step, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("cell", "feeding"), list(product(CELLS, (False, True))))
def test_equals_its_equations(cell: str, feeding: bool) -> None:
    """One layer, dot attention and loops, from the docstring."""
    torch.manual_seed(0)
    decoder = AttentionDecoder(
        vocab_size=VOCAB,
        embedding_size=3,
        hidden_size=4,
        memory_size=4,
        attention=DotAttention(),
        cell=cell,
        input_feeding=feeding,
    ).double()
    memory, h = torch.randn(5, 4).double(), torch.randn(1, 4).double()
    c = torch.randn(1, 4).double()
    symbols = torch.tensor([1, 5, 4])
    given_cell = c[None] if cell == "lstm" else None
    mask = torch.ones(1, 5, dtype=torch.bool)
    found = decoder(symbols[None], torch.tensor([3]), memory[None], mask, h[None], given_cell)
    fed = torch.zeros(4).double()
    for step, symbol in enumerate(symbols):
        embedded = decoder.embedding.weight[symbol]
        x = (torch.cat([embedded, fed]) if feeding else embedded)[None, None]
        if cell == "lstm":
            _, (h_n, c_n) = decoder.layer(x, (h[None], c[None]))
            c = c_n[0]
        else:
            _, h_n = decoder.layer(x, h[None])
        h = h_n[0]
        scores = torch.stack([h[0] @ m for m in memory])
        weights = scores.exp() / scores.exp().sum()
        context = sum(w * m for w, m in zip(weights, memory, strict=True))
        fed = torch.tanh(decoder.combine.weight @ torch.cat([context, h[0]]))
        logits = decoder.vocabulary.weight @ fed + decoder.vocabulary.bias
        torch.testing.assert_close(found.weights[0, step], weights, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(found.logits[0, step], logits, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("cell", "feeding"), list(product(CELLS, (False, True))))
def test_rows_of_a_source_share_its_memory(cell: str, feeding: bool) -> None:
    model = tiny_model(cell=cell, input_feeding=feeding, decoder_layers=2)
    rows = torch.arange(3).repeat_interleave(2)
    state = model.start(*padded(SOURCES))
    shared, repeated = state.select_recurrent(rows), state.select(rows)
    assert shared.memory.shape[0] == 3
    assert repeated.memory.shape[0] == 6
    symbols = torch.tensor([[1, 4, 5], [1, 6, 6], [1, 5, 4], [1, 4, 6], [1, 6, 5], [1, 5, 5]])
    torch.testing.assert_close(
        stepped(model.decoder, symbols, shared),
        stepped(model.decoder, symbols, repeated),
        rtol=1e-12,
        atol=1e-12,
    )


def test_selected_rows_go_on_as_they_would_have() -> None:
    model = tiny_model(input_feeding=True)
    order = torch.tensor([2, 0, 2])
    _, _, state = model.decoder.step(torch.tensor([1, 1, 1]), model.start(*padded(SOURCES)))
    symbols = torch.tensor([4, 5, 6])
    logits, weights, _ = model.decoder.step(symbols, state)
    chosen, read, _ = model.decoder.step(symbols[order], state.select(order))
    torch.testing.assert_close(chosen, logits[order])
    torch.testing.assert_close(read, weights[order])


def test_an_absent_cell_state_is_zeros_and_h_0_is_kept() -> None:
    decoder = tiny_model().decoder
    memory, hidden = torch.randn(2, 3, 8).double(), torch.randn(1, 2, 8).double()
    mask = torch.ones(2, 3, dtype=torch.bool)
    target_in, lengths = padded([[1, 4], [1, 5]])
    without = decoder(target_in, lengths, memory, mask, hidden)
    zeros = decoder(target_in, lengths, memory, mask, hidden, torch.zeros_like(hidden))
    torch.testing.assert_close(without, zeros)
    other = decoder(target_in, lengths, memory, mask, hidden + 1)
    assert not torch.allclose(without.logits, other.logits)


@pytest.mark.parametrize("feeding", [False, True])
def test_nan_in_the_padding_of_the_memory_reaches_no_gradient(feeding: bool) -> None:
    decoder = tiny_model(input_feeding=feeding, attention="additive").decoder
    memory, hidden = torch.randn(2, 3, 8).double(), torch.randn(1, 2, 8).double()
    mask = torch.tensor([[True, True, False], [True, False, False]])
    target_in, lengths = padded([[1, 4], [1, 5]])
    found = []
    for given in (memory, memory.masked_fill(~mask[..., None], torch.nan)):
        logits = decoder(target_in, lengths, given, mask, hidden).logits
        found.append([logits, *torch.autograd.grad(logits.sin().sum(), decoder.parameters())])
    for clean, spoilt in zip(*found, strict=True):
        assert torch.equal(clean, spoilt)


def test_tied_embeddings_are_one_tensor() -> None:
    decoder = tiny_model(tie_embeddings=True, embedding_size=8).decoder
    assert decoder.vocabulary.weight is decoder.embedding.weight
    apart = tiny_model(embedding_size=8).decoder
    assert sum(p.numel() for p in apart.parameters()) - sum(
        p.numel() for p in decoder.parameters()
    ) == (VOCAB * 8)
    with pytest.raises(ValueError, match=r"^tie_embeddings needs .* but they are 4 and 8\.$"):
        AttentionDecoder(
            vocab_size=VOCAB,
            embedding_size=4,
            hidden_size=8,
            memory_size=8,
            attention=DotAttention(),
            tie_embeddings=True,
        )


@pytest.mark.parametrize("feeding", [False, True])
def test_dropout_is_for_training_only(feeding: bool) -> None:
    model = tiny_model(dropout=0.5, input_feeding=feeding, decoder_layers=2, encoder_layers=2)
    target_in, _, lengths = teacher(TARGETS)

    def said() -> Tensor:
        return model(*padded(SOURCES), target_in, lengths).logits

    assert torch.equal(said(), said())
    plain = tiny_model(input_feeding=feeding, decoder_layers=2, encoder_layers=2)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(said(), plain(*padded(SOURCES), target_in, lengths).logits)
    model.train()
    assert not torch.equal(said(), said())


def test_the_encoder_s_output_is_the_memory() -> None:
    torch.manual_seed(0)
    encoder = Encoder(vocab_size=VOCAB, embedding_size=3, hidden_size=4, num_layers=2).double()
    source, lengths = padded(SOURCES)
    encoded = encoder(source, lengths)
    grid = encoder.layer.unroll(encoder.embedding(source), lengths=lengths)
    torch.testing.assert_close(encoded.memory, grid.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(encoded.hidden_state, grid.hidden_state, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(encoded.cell_state, grid.cell_state, rtol=1e-12, atol=1e-12)
    assert encoded.mask.sum(dim=1).tolist() == lengths.tolist()
    assert bool((encoded.memory[~encoded.mask] == 0).all())


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_over_real_symbols(smoothing: float) -> None:
    torch.manual_seed(0)
    _, target_out, lengths = teacher(TARGETS)
    logits = torch.randn(*target_out.shape, VOCAB).double()
    total = torch.zeros(()).double()
    for sample, length in enumerate(lengths.tolist()):
        for step in range(length):
            p = logits[sample, step].exp() / logits[sample, step].exp().sum()
            q = torch.full((VOCAB,), smoothing / VOCAB, dtype=torch.float64)
            q[target_out[sample, step]] += 1 - smoothing
            total -= (q * p.log()).sum()
    found = SequenceLoss(smoothing)(logits, target_out)
    torch.testing.assert_close(found, total / lengths.sum(), rtol=1e-12, atol=1e-12)


def test_the_loss_refuses_impossible_smoothing() -> None:
    with pytest.raises(ValueError, match=r"^label_smoothing is 1\.0; it must be from 0 to below 1"):
        SequenceLoss(1.0)
