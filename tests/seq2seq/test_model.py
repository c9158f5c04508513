"""The parts put together: what they learn, and what is refused when they do not fit."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import VOCAB, padded, teacher, tiny_model
from torch import Tensor, nn

from unrolled.errors import ModelError
from unrolled.grid import StackShape
from unrolled.nn import AdditiveAttention, Attended, Bridge, DotAttention, GeneralAttention
from unrolled.seq2seq import (
    Architecture,
    AttentionDecoder,
    Encoder,
    Seq2Seq,
    SequenceLoss,
    beam_search,
    build,
    greedy_search,
)

WORDS = [[4, 5, 6], [6, 5], [5, 4, 4, 6], [6], [4, 6, 5, 5]]


def encoder_of(**choices: object) -> Encoder:
    sizes: dict[str, object] = {"vocab_size": VOCAB, "embedding_size": 3, "hidden_size": 4}
    return Encoder(**(sizes | choices))


def decoder_of(attention: nn.Module | None = None, **choices: object) -> AttentionDecoder:
    sizes: dict[str, object] = {
        "vocab_size": VOCAB,
        "embedding_size": 3,
        "hidden_size": 8,
        "memory_size": 8,
        "attention": DotAttention() if attention is None else attention,
    }
    return AttentionDecoder(**(sizes | choices))


@pytest.mark.parametrize("attention", ["additive", "dot", "general", "concat"])
@pytest.mark.parametrize("input_feeding", [False, True])
def test_learns_to_reverse_and_decodes_it_freely(attention: str, input_feeding: bool) -> None:
    torch.manual_seed(0)
    model = build(
        Architecture(
            source_vocab_size=VOCAB,
            target_vocab_size=VOCAB,
            embedding_size=16,
            encoder_hidden_size=16,
            decoder_hidden_size=32,
            attention=attention,
            input_feeding=input_feeding,
        )
    )
    source, lengths = padded(WORDS)
    expected = [word[::-1] for word in WORDS]
    target_in, target_out, steps = teacher(expected)
    loss, optimizer = SequenceLoss(), torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        loss(model(source, lengths, target_in, steps).logits, target_out).backward()
        optimizer.step()
    model.eval()
    limits = 2 * lengths + 2
    for found in (
        greedy_search(model, source, lengths, limits),
        beam_search(model, source, lengths, limits, beam_size=4),
    ):
        assert [hypotheses[0].symbols for hypotheses in found] == expected


class Even(nn.Module):
    """An attention of somebody's own, which reads all real steps alike."""

    def project(self, memory: Tensor) -> Tensor:
        return memory

    def read(self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor) -> Attended:
        weights = (mask / mask.sum(dim=1, keepdim=True)).to(memory.dtype)
        weights = weights[:, None].expand(-1, query.shape[1], -1)
        return Attended(weights @ memory, weights)


def test_an_attention_of_ones_own_needs_two_methods() -> None:
    decoder = decoder_of(Even())
    memory, hidden = torch.randn(2, 3, 8), torch.randn(1, 2, 8)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    target_in, lengths = padded([[1, 4], [1, 5]])
    weights = decoder(target_in, lengths, memory, mask, hidden).weights
    torch.testing.assert_close(weights[1, 0], torch.tensor([0.5, 0.5, 0.0]))


@pytest.mark.parametrize(
    ("attention", "message"),
    [
        (
            GeneralAttention(9, 8),
            "the attention was built with query_size=9, but this decoder needs 8: its queries are "
            "hidden_size wide and its memory memory_size.",
        ),
        (
            AdditiveAttention(8, 5),
            "the attention was built with memory_size=5, but this decoder needs 8: its queries are "
            "hidden_size wide and its memory memory_size.",
        ),
    ],
)
def test_an_attention_of_other_sizes_is_refused(attention: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        decoder_of(attention)


def test_dot_attention_needs_a_memory_as_wide_as_the_query() -> None:
    message = (
        "DotAttention needs hidden_size and memory_size to be the same, but they are 8 and 6; "
        "use GeneralAttention."
    )
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        decoder_of(memory_size=6)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"vocab_size": 0}, ValueError, "vocab_size is 0; it must be 1 or more."),
        ({"embedding_size": -3}, ValueError, "embedding_size is -3; it must be 1 or more."),
        ({"vocab_size": "9"}, TypeError, "vocab_size is '9', of type str; it must be an integer."),
    ],
)
@pytest.mark.parametrize("part", [encoder_of, decoder_of])
def test_sizes_that_cannot_be(
    part: Callable[..., nn.Module],
    choices: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=rf"^{re.escape(message)}$"):
        part(**choices)


@pytest.mark.usefixtures("as_users_call")
def test_a_source_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^ids is torch.int64 of shape \(2,\); it must be of"):
        encoder_of(dropout=0.0)(torch.tensor([4, 5]), torch.tensor([2]))


class _NoMethods(nn.Module):
    project = read = None


class _NoModule:
    project, read = Even.project, Even.read


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("attention", "found"),
    [
        (nn.Linear(8, 8), "a Linear"),
        (GeneralAttention, "the class GeneralAttention"),
        ("general", "a str"),
        (_NoMethods(), "a _NoMethods"),
        (_NoModule(), "a _NoModule"),
    ],
    ids=["a module", "a class", "a name", "no methods", "no module"],
)
def test_what_is_no_attention_is_refused(attention: Any, found: str) -> None:
    message = (
        f"attention is {found}; it must be one of unrolled.nn, or a module with their methods "
        "project and read."
    )
    with pytest.raises(TypeError, match=rf"^{re.escape(message)}$"):
        decoder_of(attention)


class _ContextOnly(Even):
    def read(self, *arguments: Tensor) -> Any:
        return super().read(*arguments).context


@pytest.mark.usefixtures("as_users_call")
def test_an_attention_that_gives_no_weights_is_refused() -> None:
    message = (
        "_ContextOnly.read gave a tensor; it must give context and weights, as "
        "unrolled.nn.Attended(context, weights)."
    )
    ids, lengths = padded([[1, 4], [1, 5]])
    memory = torch.randn(2, 2, 8)
    with pytest.raises(TypeError, match=rf"^{re.escape(message)}$"):
        decoder_of(_ContextOnly())(ids, lengths, memory, memory[..., 0] < 9, torch.zeros(1, 2, 8))


def test_a_bridge_of_another_encoder_is_refused() -> None:
    encoder, decoder = encoder_of(), decoder_of()
    other = Bridge(StackShape("lstm", 3, 4, 2, True), decoder.shape, layers="top")
    with pytest.raises(ValueError, match=r"^the bridge was built for another encoder: .*layers=2"):
        Seq2Seq(encoder, other, decoder)


def test_a_bridge_of_another_decoder_is_refused() -> None:
    encoder, decoder = encoder_of(), decoder_of()
    other = Bridge(encoder.shape, StackShape("gru", 3, 8))
    with pytest.raises(ValueError, match=r"^the bridge was built for another decoder: .*'gru'"):
        Seq2Seq(encoder, other, decoder)


def test_what_the_decoder_s_stack_reads_does_not_concern_the_bridge() -> None:
    encoder, decoder = encoder_of(), decoder_of(input_feeding=True)
    bridge = Bridge(encoder.shape, StackShape("lstm", 1, 8))
    assert Seq2Seq(encoder, bridge, decoder).decoder is decoder


def test_a_memory_of_another_size_is_refused() -> None:
    encoder = encoder_of()
    decoder = decoder_of(GeneralAttention(8, 6), memory_size=6)
    message = (
        "the decoder reads a memory of 6 features, but the encoder's output has 8; give that as "
        "the decoder's memory_size."
    )
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        Seq2Seq(encoder, Bridge(encoder.shape, decoder.shape), decoder)


def test_a_loss_without_symbols_is_refused() -> None:
    message = "target_out holds PAD alone; a loss needs at least one real symbol."
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        SequenceLoss()(torch.zeros(2, 3, VOCAB), torch.zeros(2, 3, dtype=torch.long))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_probabilities_that_are_no_numbers_end_the_search(beam_size: int) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.decoder.combine.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"^no target was found for source 0: the model's prob"):
        beam_search(model, *padded(WORDS), torch.full((len(WORDS),), 5), beam_size=beam_size)
