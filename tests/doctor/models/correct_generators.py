"""Correct models that write: language models, encoder-decoders, captioners."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn
from unrolled.seq2seq import Architecture, build

from .case import correct
from .example_inputs import PAD, begun, floats, ids, real

LENGTHS = [6, 4, 3]


def ragged_pair() -> tuple[Tensor, Tensor, Tensor]:
    return ids(3, 6, 13, LENGTHS), torch.tensor(LENGTHS), begun(3, 5, 12)


@correct("language model", "lstm", lambda: (ids(3, 8, 15),))
class TiedLanguageModel(nn.Module):
    """The embedding also scores the symbols; dropout between the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Embedding(15, 8)
        self.drop = nn.Dropout(0.4)
        self.rnn = nn.LSTM(8, 8, num_layers=2, dropout=0.4, batch_first=True)
        self.decoder = nn.Linear(8, 15)
        self.decoder.weight = self.encoder.weight

    def forward(self, text: Tensor) -> Tensor:
        output, _ = self.rnn(self.drop(self.encoder(text)))
        return self.decoder(self.drop(output))


@correct(
    "language model",
    "gru",
    lambda: (ids(3, 6, 12), torch.zeros(2, 3, 7)),
)
class CarriedStateLanguageModel(nn.Module):
    """The caller carries the state: it goes in and comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 5)
        self.rnn = nn.GRU(5, 7, num_layers=2, batch_first=True)
        self.out = nn.Linear(7, 12)

    def forward(self, text: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.embed(text), hidden)
        return self.out(output), hidden


@correct("language model", "lstm", lambda: (ids(3, 6, 12),))
class StatefulLanguageModel(nn.Module):
    """Keeps its state from call to call, detached, with a reset."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 5)
        self.rnn = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 12)
        self.hidden: tuple[Tensor, Tensor] | None = None

    def reset(self) -> None:
        self.hidden = None

    def forward(self, text: Tensor) -> Tensor:
        if self.hidden is not None and self.hidden[0].size(1) != text.size(0):
            self.reset()
        output, (h, c) = self.rnn(self.embed(text), self.hidden)
        self.hidden = h.detach(), c.detach()
        return self.out(output)


class WeightDrop(nn.Module):
    """DropConnect on the recurrent weights, as the AWD-LSTM has it."""

    def __init__(self, module: nn.Module, names: list[str], dropout: float) -> None:
        super().__init__()
        self.module, self.names, self.dropout = module, names, dropout
        for name in names:
            raw = getattr(module, name)
            self.register_parameter(f"{name}_raw", nn.Parameter(raw.data))
            del module._parameters[name]
            setattr(module, name, raw.data)

    def forward(self, *args: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        for name in self.names:
            raw = getattr(self, f"{name}_raw")
            setattr(self.module, name, nn.functional.dropout(raw, self.dropout, self.training))
        return self.module(*args)


@correct("language model", "lstm", lambda: (ids(3, 6, 14),))
class WeightDroppedLanguageModel(nn.Module):
    """The common WeightDrop wrapper around an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 5)
        self.rnn = WeightDrop(nn.LSTM(5, 7), ["weight_hh_l0"], dropout=0.5)
        self.out = nn.Linear(7, 14)

    def forward(self, text: Tensor) -> Tensor:
        output, _ = self.rnn(self.embed(text.t()))
        return self.out(output).transpose(0, 1)


@correct("encoder-decoder", "gru", lambda: (ids(4, 6, 13), begun(4, 5, 12)))
class TeacherForcedTranslator(nn.Module):
    """No attention; the final states of both directions become the decoder's first."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(12, 5)
        self.encoder = nn.GRU(5, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 7)
        self.decoder = nn.GRU(5, 7, batch_first=True)
        self.out = nn.Linear(7, 12)

    def forward(self, src: Tensor, trg: Tensor) -> Tensor:
        _, hidden = self.encoder(self.src(src))
        hidden = torch.tanh(self.fc(torch.cat((hidden[-2], hidden[-1]), dim=1)))
        return self.out(self.decoder(self.tgt(trg), hidden.unsqueeze(0))[0])


@correct("encoder-decoder", "lstm", ragged_pair)
class LayerwiseTranslator(nn.Module):
    """Two layers each side; the directions of each layer side by side, h and c both."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 5, padding_idx=PAD), nn.Embedding(12, 5)
        self.encoder = nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.decoder = nn.LSTM(5, 8, num_layers=2, batch_first=True)
        self.out = nn.Linear(8, 12)

    @staticmethod
    def cat_directions(state: Tensor) -> Tensor:
        return torch.cat([state[0 : state.size(0) : 2], state[1 : state.size(0) : 2]], 2)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.src(src), src_len, True, enforce_sorted=False)
        _, state = self.encoder(packed)
        output, _ = self.decoder(self.tgt(tgt), tuple(self.cat_directions(s) for s in state))
        return self.out(output)


@correct("encoder-decoder", "gru", ragged_pair)
class BahdanauTranslator(nn.Module):
    """Additive attention before each step of a cell, masked."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 5, padding_idx=PAD), nn.Embedding(12, 5)
        self.encoder = nn.GRU(5, 4, bidirectional=True, batch_first=True)
        self.bridge = nn.Linear(8, 7)
        self.query, self.key = nn.Linear(7, 6, bias=False), nn.Linear(8, 6, bias=False)
        self.energy = nn.Linear(6, 1, bias=False)
        self.cell = nn.GRUCell(5 + 8, 7)
        self.out = nn.Linear(7 + 8 + 5, 12)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.src(src), src_len, True, enforce_sorted=False)
        memory, h_n = self.encoder(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True)
        mask = real(src_len, memory.size(1))
        keys = self.key(memory)
        hidden = torch.tanh(self.bridge(torch.cat([h_n[0], h_n[1]], 1)))
        logits = []
        for t in range(tgt.size(1)):
            scores = self.energy(torch.tanh(self.query(hidden).unsqueeze(1) + keys)).squeeze(-1)
            weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            embedded = self.tgt(tgt[:, t])
            hidden = self.cell(torch.cat([embedded, context], 1), hidden)
            logits.append(self.out(torch.cat([hidden, context, embedded], 1)))
        return torch.stack(logits, 1)


@correct("encoder-decoder", "lstm", ragged_pair)
class LuongInputFeedingTranslator(nn.Module):
    """General attention after each step, the attentional vector fed to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 5, padding_idx=PAD), nn.Embedding(12, 5)
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.decoder = nn.LSTMCell(5 + 6, 6)
        self.general = nn.Linear(6, 6, bias=False)
        self.combine = nn.Linear(12, 6, bias=False)
        self.out = nn.Linear(6, 12)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(self.src(src), src_len, True, enforce_sorted=False)
        packed_memory, (h_n, c_n) = self.encoder(packed)
        memory, _ = pad_packed_sequence(packed_memory, True, total_length=src.size(1))
        h, c = h_n[-1], c_n[-1]
        feed = torch.zeros_like(h)
        logits, attention = [], []
        for symbols in tgt.unbind(1):
            h, c = self.decoder(torch.cat([self.tgt(symbols), feed], 1), (h, c))
            scores = (memory @ self.general(h).unsqueeze(2)).squeeze(2)
            weights = scores.masked_fill(src == PAD, -1e9).softmax(1)
            context = (weights.unsqueeze(1) @ memory).squeeze(1)
            feed = torch.tanh(self.combine(torch.cat([context, h], 1)))
            logits.append(self.out(feed))
            attention.append(weights)
        return torch.stack(logits, 1), torch.stack(attention, 1)


@correct("encoder-decoder", "gru", lambda: (ids(3, 5, 13), begun(3, 4, 12)))
class LuongDotTranslator(nn.Module):
    """Dot attention over a whole decoded target at once; full lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(12, 5)
        self.encoder = nn.GRU(5, 6, num_layers=2, batch_first=True)
        self.decoder = nn.GRU(5, 6, num_layers=2, batch_first=True)
        self.out = nn.Linear(12, 12)

    def forward(self, src: Tensor, tgt: Tensor) -> dict[str, Tensor]:
        memory, h_n = self.encoder(self.src(src))
        queries, _ = self.decoder(self.tgt(tgt), h_n)
        weights = torch.einsum("bqh,bkh->bqk", queries, memory).softmax(-1)
        context = torch.einsum("bqk,bkh->bqh", weights, memory)
        return {"logits": self.out(torch.cat([queries, context], -1)), "attention": weights}


@correct(
    "encoder-decoder",
    "lstm",
    lambda: (
        ids(3, 6, 13, LENGTHS),
        torch.tensor(LENGTHS),
        begun(3, 5, 12),
        torch.tensor([5, 5, 5]),
    ),
)
def unrolled_seq2seq() -> nn.Module:
    """An encoder-decoder of unrolled.seq2seq."""
    return build(
        Architecture(
            source_vocab_size=13,
            target_vocab_size=12,
            cell="lstm",
            embedding_size=6,
            encoder_hidden_size=5,
            decoder_hidden_size=7,
        )
    )


@correct(
    "encoder-decoder",
    "gru",
    lambda: (
        ids(3, 6, 13, LENGTHS),
        torch.tensor(LENGTHS),
        begun(3, 5, 12),
        torch.tensor([5, 5, 5]),
    ),
)
def unrolled_input_feeding() -> nn.Module:
    """An encoder-decoder of unrolled.seq2seq with input feeding and a deep GRU encoder."""
    return build(
        Architecture(
            source_vocab_size=13,
            target_vocab_size=12,
            cell="gru",
            embedding_size=5,
            encoder_hidden_size=4,
            encoder_layers=2,
            decoder_hidden_size=6,
            attention="additive",
            input_feeding=True,
        )
    )


@correct("pointer network", "lstm", lambda: (floats(3, 6, 2),))
class PointerNetwork(nn.Module):
    """Points at its own input steps; a step once taken is masked out."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(2, 6, batch_first=True)
        self.cell = nn.LSTMCell(2, 6)
        self.start = nn.Parameter(torch.randn(2))
        self.w1, self.w2 = nn.Linear(6, 5), nn.Linear(6, 5)
        self.v = nn.Linear(5, 1)

    def forward(self, points: Tensor) -> Tensor:
        memory, (h, c) = self.encoder(points)
        h, c = h[0], c[0]
        taken = torch.zeros(points.shape[:2], dtype=torch.bool)
        step, logits = self.start.expand(points.size(0), -1), []
        for _ in range(points.size(1)):
            h, c = self.cell(step, (h, c))
            scores = self.v(torch.tanh(self.w1(memory) + self.w2(h).unsqueeze(1))).squeeze(-1)
            scores = scores.masked_fill(taken, -1e9)
            logits.append(scores)
            chosen = scores.argmax(1)
            taken = taken | nn.functional.one_hot(chosen, points.size(1)).bool()
            step = points[torch.arange(points.size(0)), chosen]
        return torch.stack(logits, 1)


@correct("variational autoencoder", "gru", lambda: (ids(3, 6, 14),))
class TextVae(nn.Module):
    """The mean latent in evaluation; latent to h_0 batch axis first, then transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 5)
        self.encoder = nn.GRU(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.mean, self.logv = nn.Linear(24, 3), nn.Linear(24, 3)
        self.latent2hidden = nn.Linear(3, 2 * 7)
        self.decoder = nn.GRU(5, 7, num_layers=2, batch_first=True)
        self.out = nn.Linear(7, 14)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedded = self.embed(text)
        _, hidden = self.encoder(embedded)
        hidden = hidden.transpose(0, 1).reshape(text.size(0), -1)
        mean, logv = self.mean(hidden), self.logv(hidden)
        z = mean
        if self.training:
            z = z + torch.randn_like(mean) * torch.exp(0.5 * logv)
        start = self.latent2hidden(z).view(text.size(0), 2, 7).transpose(0, 1).contiguous()
        output, _ = self.decoder(embedded, start)
        return self.out(output), mean, logv


@correct("captioner", "lstm", lambda: (torch.randn(3, 3, 6, 6), begun(3, 5, 11)))
class ShowAndTell(nn.Module):
    """The image is the decoder's first input symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6))
        self.bn = nn.BatchNorm1d(6)
        self.embed = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.linear = nn.Linear(7, 11)

    def forward(self, images: Tensor, captions: Tensor) -> Tensor:
        features = self.bn(self.cnn(images))
        inputs = torch.cat((features.unsqueeze(1), self.embed(captions)), 1)
        return self.linear(self.lstm(inputs)[0])


@correct("encoder-decoder", "gru", lambda: (floats(3, 7, 2), floats(3, 4, 2)))
class UnrolledForecaster(nn.Module):
    """Layers of unrolled.nn and its dot attention, full lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = unrolled.nn.GRU(2, 6, batch_first=True)
        self.decoder = unrolled.nn.GRU(2, 6, batch_first=True)
        self.attention = unrolled.nn.DotAttention()
        self.out = nn.Linear(12, 1)

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        memory, h_n = self.encoder(past)
        queries, _ = self.decoder(known, h_n)
        mask = torch.ones(memory.shape[:2], dtype=torch.bool)
        context, _ = self.attention(queries, memory, mask)
        return self.out(torch.cat([queries, context], -1)).squeeze(-1)
