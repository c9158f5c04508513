"""Wrong models whose mistake stands among right reads, or whose right use is not far off."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import pair
from .example_inputs import PAD, floats, ids, real


@pair("M01", "classifier", "lstm", "rnn", lambda: (ids(4, 6, 15),))
class LastStateAsks(nn.Module):
    """The last state asks an attention over all states, and stands beside what it got."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(15, 6)
        self.rnn = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(20, 3)

    def forward(self, text: Tensor) -> Tensor:
        output, (h_n, _) = self.rnn(self.embed(text))
        query = torch.cat([h_n[-2], h_n[-1]], -1) if self.right else output[:, -1]
        weights = torch.softmax((output @ query.unsqueeze(-1)).squeeze(-1), 1)
        context = (weights.unsqueeze(-1) * output).sum(1)
        return self.head(torch.cat([query, context], -1))


@pair("M01", "forecaster", "gru", "gru", lambda: (floats(3, 7, 4),))
class MeanAndLast(nn.Module):
    """The mean over all steps, and the last one added to it."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(4, 5, num_layers=2, bidirectional=True)
        self.head = nn.Linear(10, 1)

    def forward(self, x: Tensor) -> Tensor:
        output, h_n = self.gru(x.transpose(0, 1))
        last = torch.cat([h_n[-2], h_n[-1]], -1) if self.right else output[-1]
        return self.head(output.mean(0) + torch.tanh(last))


@pair(
    "M14",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 7, 14, [7, 5, 3, 2]), torch.tensor([7, 5, 3, 2])),
)
class StepsForSamples(nn.Module):
    """`[:, -1]` of (step, batch): a row for each step, all of one sample."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(14, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, lengths = pad_packed_sequence(self.lstm(packed)[0], batch_first=self.right)
        if self.right:
            return self.head(output[torch.arange(len(text)), lengths - 1])
        return self.head(output[:, -1])


@pair(
    "M14",
    "tagger",
    "gru",
    "gru",
    lambda: (floats(6, 4, 3), torch.tensor([6, 5, 3, 2])),
    hints=lambda: {"batch_dim": 1},
)
class MeanOverSamples(nn.Module):
    """Packed with the steps first and padded with the batch first; `mean(0)` is over samples."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 4, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, lengths = pad_packed_sequence(self.gru(packed)[0], batch_first=not self.right)
        if self.right:
            return self.head(output.sum(0) / lengths.unsqueeze(1))
        return self.head(output.mean(0))


@pair(
    "M02",
    "classifier",
    "gru",
    "gru",
    lambda: (ids(4, 7, 14, [4, 7, 2, 5]),),
)
class GatheredBesideMean(nn.Module):
    """Gathered at the last real step, and beside it the mean over all of them."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(14, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, text: Tensor) -> Tensor:
        lengths = (text != PAD).sum(1)
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, h_n = self.gru(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        last = output[torch.arange(len(text)), lengths - 1]
        if self.right:
            last = torch.cat([h_n[0], h_n[1]], -1)
        return self.head(torch.cat([last, output.sum(1) / lengths.unsqueeze(1)], 1))


@pair(
    "M23",
    "classifier",
    "gru",
    "gru",
    lambda: (ids(4, 6, 14, [4, 6, 2, 5]), torch.tensor([4, 6, 2, 5])),
    also={"M10": "the more padding, the less is left for the real steps"},
)
class MaskedAndNotDivided(nn.Module):
    """Masked after the softmax, which has given the padding its share already."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(14, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 4, batch_first=True)
        self.score, self.head = nn.Linear(4, 1), nn.Linear(4, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.gru(self.embed(text))
        weights = self.score(output).squeeze(-1).softmax(1) * real(lengths, text.size(1))
        if self.right:
            weights = weights / weights.sum(1, keepdim=True)
        return self.head((weights.unsqueeze(-1) * output).sum(1))


@pair("M16", "forecaster", "lstm", "encoder", lambda: (floats(4, 6, 2),))
class ForecastFromHiddenAlone(nn.Module):
    """h goes on as it is, c begins at zero."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.LSTM(2, 6, batch_first=True)
        self.decoder = nn.LSTMCell(1, 6)
        self.head = nn.Linear(6, 1)

    def forward(self, past: Tensor) -> Tensor:
        _, (h_n, c_n) = self.encoder(past)
        h, c = h_n[0], c_n[0] if self.right else torch.zeros_like(h_n[0])
        value, found = past[:, -1, :1], []
        for _ in range(3):
            h, c = self.decoder(value, (h, c))
            value = self.head(h)
            found.append(value)
        return torch.cat(found, 1)


@pair(
    "M18",
    "language model",
    "lstm",
    "rnn",
    lambda: (lambda text: (text[:, :-1], text[:, 1:]))(ids(4, 8, 13)),
)
class SeeingModelWithLabels(nn.Module):
    """The next symbols come as an argument, for the loss."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 6)
        self.rnn = nn.LSTM(6, 6, batch_first=True, bidirectional=not right)
        self.out = nn.Linear(6 if right else 12, 13)

    def forward(self, text: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.out(self.rnn(self.embed(text))[0])
        return logits, nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


@pair("M20", "online predictor", "gru", "gru", lambda: (floats(4, 5, 3),), outputs_differ=False)
class KeptByPolicy(nn.Module):
    """A method that resets the weights is no way to begin a new batch."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 5, batch_first=True)
        self.policy = nn.Linear(5, 2)
        self.hidden: Tensor | None = None

    def reset_parameters(self) -> None:
        self.policy.reset_parameters()

    def forward(self, seen: Tensor) -> Tensor:
        output, hidden = self.gru(seen, None if self.right else self.hidden)
        self.hidden = hidden.detach()
        return self.policy(output).log_softmax(-1)


@pair("M22", "classifier", "lstm", "lstm", lambda: (ids(4, 6, 15),))
class HopsForSteps(nn.Module):
    """Structured self-attention, normalised over its hops."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(15, 6)
        self.lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.first, self.second = nn.Linear(8, 5, bias=False), nn.Linear(5, 3, bias=False)
        self.head = nn.Linear(24, 2)

    def forward(self, text: Tensor) -> Tensor:
        memory, _ = self.lstm(self.embed(text))
        scores = self.second(torch.tanh(self.first(memory)))  # (batch, step, hop)
        weights = scores.softmax(1 if self.right else -1)
        return self.head((weights.transpose(1, 2) @ memory).flatten(1))


@pair(
    "M28",
    "classifier",
    "gru",
    "gru",
    lambda: (ids(4, 6, 15, [4, 6, 2, 5]), real(torch.tensor([4, 6, 2, 5]), 6).long()),
)
class MeanBesideMask(nn.Module):
    """Packed by the mask, and then the mean of what came back, zeros included."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(15, 6)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        lengths = attention_mask.sum(1)
        packed = pack_padded_sequence(self.embed(input_ids), lengths, True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        if self.right:
            return self.head(output.sum(1) / lengths.unsqueeze(1))
        return self.head(output.mean(1))
