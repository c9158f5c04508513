"""M22, M23: attention over the wrong axis, attention that reads padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn

from .case import pair
from .example_inputs import PAD, begun, floats, ids, real

# ---- M22: softmax over the wrong axis


@pair("M22", "classifier", "lstm", "attention", lambda: (ids(4, 7, 15),))
class BatchAttentionClassifier(nn.Module):
    """softmax(dim=0) of (batch, steps): a module of its own."""

    class WordAttention(nn.Module):
        def __init__(self, size: int, dim: int) -> None:
            super().__init__()
            self.dim = dim
            self.score = nn.Sequential(nn.Linear(size, 5), nn.Tanh(), nn.Linear(5, 1))

        def forward(self, output: Tensor) -> Tensor:
            weights = torch.softmax(self.score(output).squeeze(-1), dim=self.dim)
            return torch.bmm(weights.unsqueeze(1), output).squeeze(1)

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 6)
        self.lstm = nn.LSTM(6, 4, bidirectional=True, batch_first=True)
        self.attention = self.WordAttention(8, 1 if right else 0)
        self.fc = nn.Linear(8, 3)

    def forward(self, text: Tensor) -> Tensor:
        return self.fc(self.attention(self.lstm(self.embed(text))[0]))


@pair("M22", "regressor", "gru", "gru", lambda: (floats(3, 6, 4),))
class OnesAttentionRegressor(nn.Module):
    """softmax over the axis of size 1: every weight is 1."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.w = nn.Linear(6, 1)
        self.fc = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output, _ = self.gru(x)
        alpha = torch.softmax(self.w(output), dim=1 if self.right else 2)
        context = (alpha * output).sum(1)
        return self.fc(context), alpha


@pair(
    "M22",
    "encoder-decoder",
    "gru",
    "attn",
    lambda: (ids(4, 6, 12), begun(4, 5, 11)),
)
class BahdanauOverTargets(nn.Module):
    """Scores of (batch, target step, source step), normalised over the target steps."""

    class Attn(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.dim = dim
            self.query, self.key = nn.Linear(6, 5), nn.Linear(6, 5)
            self.v = nn.Linear(5, 1, bias=False)

        def forward(self, queries: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
            mixed = torch.tanh(self.query(queries).unsqueeze(2) + self.key(memory).unsqueeze(1))
            weights = self.v(mixed).squeeze(-1).softmax(dim=self.dim)
            return weights @ memory, weights

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(12, 5), nn.Embedding(11, 5)
        self.encoder = nn.GRU(5, 6, batch_first=True)
        self.decoder = nn.GRU(5, 6, batch_first=True)
        self.attn = self.Attn(2 if right else 1)
        self.out = nn.Linear(12, 11)

    def forward(self, src: Tensor, tgt: Tensor) -> dict[str, Tensor]:
        memory, h_n = self.encoder(self.src(src))
        queries, _ = self.decoder(self.tgt(tgt), h_n)
        context, weights = self.attn(queries, memory)
        return {"logits": self.out(torch.cat([queries, context], -1)), "attention": weights}


@pair("M22", "classifier", "rnn", "rnn", lambda: (floats(5, 4, 3),))
class TimeMajorAttention(nn.Module):
    """Time-major scores; dim=1 is the batch."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(3, 6, num_layers=2)
        self.query = nn.Parameter(torch.randn(6))
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.rnn(x.transpose(0, 1))
        weights = (output @ self.query).softmax(dim=0 if self.right else 1)
        return self.fc((weights.unsqueeze(-1) * output).sum(0))


# ---- M23: attention reads padding

LEAKS = {"M10": "what attention reads leaks into the pooled result"}


@pair(
    "M23",
    "classifier",
    "lstm",
    "attend",
    lambda: (ids(4, 8, 16, [8, 4, 6, 3]), torch.tensor([8, 4, 6, 3])),
    also=LEAKS,
)
class UnmaskedClassifier(nn.Module):
    """Packed, so padded steps are zeros; they get their share of the weights all the same."""

    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Linear(10, 1)

        def forward(self, output: Tensor, mask: Tensor | None = None) -> Tensor:
            scores = self.score(output).squeeze(-1)
            if mask is not None:
                scores = scores.masked_fill(~mask, float("-inf"))
            return (scores.softmax(1).unsqueeze(-1) * output).sum(1)

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(16, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 5, bidirectional=True, batch_first=True)
        self.attend = self.Attend()
        self.fc = nn.Linear(10, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        mask = real(lengths, output.size(1)) if self.right else None
        return self.fc(self.attend(output, mask))


@pair(
    "M23",
    "encoder-decoder",
    "gru",
    "encoder",
    lambda: (ids(3, 7, 13, [7, 3, 5]), torch.tensor([7, 3, 5]), begun(3, 4, 11)),
    also=LEAKS,
)
class UnmaskedTranslator(nn.Module):
    """Luong's dot attention inside the model; layers of unrolled.nn with lengths."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(11, 5)
        self.encoder = unrolled.nn.GRU(5, 6, batch_first=True)
        self.decoder = unrolled.nn.GRU(5, 6, batch_first=True)
        self.out = nn.Linear(12, 11)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        memory, h_n = self.encoder(self.src(src), lengths=src_len)
        output, _ = self.decoder(self.tgt(tgt), h_n)
        scores = torch.bmm(output, memory.transpose(1, 2))
        if self.right:
            scores = scores.masked_fill(~real(src_len, src.size(1)).unsqueeze(1), -1e9)
        context = torch.bmm(torch.softmax(scores, -1), memory)
        return self.out(torch.cat([context, output], -1))


@pair(
    "M23",
    "forecaster",
    "rnn",
    "encoder",
    lambda: (floats(4, 6, 3, [6, 2, 4, 5]), floats(4, 3, 2)),
    keywords=lambda: {"lengths": torch.tensor([6, 2, 4, 5])},
    also=LEAKS,
)
class UnmaskedForecaster(nn.Module):
    """Unpacked; the final state is gathered rightly, the attention reads everything."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.RNN(3, 5)
        self.decoder = nn.RNNCell(2 + 5, 5)
        self.key = nn.Linear(5, 5, bias=False)
        self.out = nn.Linear(5, 1)

    def forward(self, past: Tensor, known: Tensor, *, lengths: Tensor) -> Tensor:
        memory, _ = self.encoder(past.transpose(0, 1))
        h = memory[lengths - 1, torch.arange(past.size(0))]
        steps = []
        for t in range(known.size(1)):
            scores = (self.key(memory) * h).sum(-1)  # (steps, batch)
            if self.right:
                scores = scores.masked_fill(~real(lengths, past.size(1)).t(), -torch.inf)
            context = (scores.softmax(0).unsqueeze(-1) * memory).sum(0)
            h = self.decoder(torch.cat([known[:, t], context], -1), h)
            steps.append(self.out(h))
        return torch.cat(steps, 1)
