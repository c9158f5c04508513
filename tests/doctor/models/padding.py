"""M10, M11, M12, M28: padding read, real symbols not read."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn

from .case import pair
from .example_inputs import PAD, begun, floats, ids, left_padded, real

# ---- M10: padding leaks into the final state or the pooled result


@pair(
    "M10",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 8, 20, [8, 4, 6, 3]), torch.tensor([8, 4, 6, 3])),
)
class UnpackedClassifier(nn.Module):
    """Lengths are asked for and used by nothing."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(20, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 8, num_layers=2, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        sequence = self.embedding(text)
        if self.right:
            sequence = pack_padded_sequence(sequence, lengths, True, enforce_sorted=False)
        _, (h_n, _) = self.lstm(sequence)
        return self.fc(h_n[-1])


@pair("M10", "classifier", "gru", "gru", lambda: (ids(5, 7, 16, [7, 3, 5, 6, 2]),))
class LastStepClassifier(nn.Module):
    """No lengths anywhere: the last step of a padded batch."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(16, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 9)
        self.out = nn.Linear(9, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        output, _ = self.gru(self.embed(tokens.t()))
        if not self.right:
            return self.out(output[-1])
        last = (tokens != PAD).sum(1) - 1
        return self.out(output[last, torch.arange(tokens.size(0))])


@pair(
    "M10",
    "classifier",
    "rnn",
    "rnn",
    lambda: (floats(4, 9, 3, [9, 5, 7, 4]), torch.tensor([9, 5, 7, 4])),
)
class MaxPooledClassifier(nn.Module):
    """Packed, but the zeros behind the real steps take part in the maximum."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(3, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        if self.right:
            output = output.masked_fill(~real(lengths, output.size(1))[:, :, None], -torch.inf)
        return self.fc(output.max(dim=1).values)


@pair(
    "M10",
    "tagger",
    "lstm",
    "lstm",
    lambda: (ids(3, 6, 12, [6, 3, 4]),),
    keywords=lambda: {"lengths": torch.tensor([6, 3, 4])},
)
class UnpackedBiTagger(nn.Module):
    """The reverse direction runs through the padding first; real steps hear of it."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 5)
        self.lstm = nn.LSTM(5, 4, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(8, 6)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        x = self.embed(words)
        if self.right:
            packed = pack_padded_sequence(x, lengths, True, enforce_sorted=False)
            output, _ = pad_packed_sequence(self.lstm(packed)[0], True, total_length=x.size(1))
        else:
            output, _ = self.lstm(x)
        return {"emissions": self.fc(output)}


# ---- M11: padding at the left, and the pads are fed to the layer as symbols. Seen from outside:
# the same sentence with more pads before it gives another result, since the state has been driven
# by the biases through the pads when the first real symbol comes.


@pair(
    "M11",
    "classifier",
    "lstm",
    "lstm",
    lambda: (left_padded(4, 8, 18, [8, 4, 6, 3]),),
    also={"M10": "the final state depends on how much padding stands before the symbols"},
)
class LeftPaddedClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(18, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.fc = nn.Linear(7, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.right:
            output, _ = self.lstm(self.embedding(tokens))
            return self.fc(output[:, -1])
        lengths = (tokens != PAD).sum(1)
        turned = torch.stack([row.roll(int(n)) for row, n in zip(tokens, lengths, strict=True)])
        packed = pack_padded_sequence(
            self.embedding(turned), lengths, batch_first=True, enforce_sorted=False
        )
        return self.fc(self.lstm(packed)[1][0][-1])


@pair(
    "M11",
    "recommender",
    "gru",
    "gru",
    lambda: (left_padded(3, 7, 14, [7, 2, 5]),),
    also={"M10": "the final state depends on how much padding stands before the symbols"},
)
class SessionRecommender(nn.Module):
    """Session-based recommendation, time-major; the twin waits for the first real item."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.items = nn.Embedding(14, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 5)

    def forward(self, session: Tensor) -> Tensor:
        x = self.items(session).transpose(0, 1)
        if self.right:
            h = x.new_zeros(1, session.size(0), 5)
            for step, symbols in zip(x, session.t(), strict=True):
                _, new = self.gru(step.unsqueeze(0), h)
                h = torch.where((symbols != PAD)[None, :, None], new, h)
        else:
            _, h = self.gru(x)
        return h[-1] @ self.items.weight.t()


@pair(
    "M11",
    "regressor",
    "rnn",
    "rnn",
    lambda: (
        floats(4, 6, 3, [6, 3, 4, 2]).flip(1),
        real(torch.tensor([6, 3, 4, 2]), 6).flip(1),
    ),
    also={"M10": "the final state depends on how much padding stands before the symbols"},
)
class LeftPaddedRegressor(nn.Module):
    """Float features and a mask that only the loss was thought to need."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(3, 8, num_layers=2, batch_first=True)
        self.fc = nn.Linear(8, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.right:
            order = mask.int().argsort(dim=1, descending=True, stable=True)
            x = x.gather(1, order.unsqueeze(-1).expand_as(x))
            x = pack_padded_sequence(x, mask.sum(1).cpu(), True, enforce_sorted=False)
        _, h_n = self.rnn(x)
        return self.fc(h_n[-1])


# ---- M12: a length off by one


@pair(
    "M12",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 7, 15, [7, 4, 5, 3]), torch.tensor([7, 4, 5, 3])),
)
class EarlyGatherClassifier(nn.Module):
    """The last real symbol is not read."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.fc = nn.Linear(5, 4)
        self.back = 1 if right else 2

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.lstm(self.embed(tokens))
        index = (lengths - self.back).view(-1, 1, 1).expand(-1, -1, output.size(-1))
        return self.fc(torch.gather(output, 1, index).squeeze(1))


@pair(
    "M12",
    "regressor",
    "gru",
    "gru",
    lambda: (floats(4, 8, 3, [6, 4, 7, 3]), torch.tensor([6, 4, 7, 3])),
    also={"M10": "the step after the last real one is padding"},
)
class LateGatherRegressor(nn.Module):
    """The first pad is read."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 6, num_layers=2, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        output, _ = self.gru(x)
        last = lengths - 1 if self.right else lengths.clamp(max=x.size(1) - 1)
        summary = output[torch.arange(x.size(0)), last]
        return self.fc(summary), summary


@pair(
    "M12",
    "encoder-decoder",
    "rnn",
    "encoder",
    lambda: (ids(3, 6, 13, [6, 4, 3]), torch.tensor([6, 4, 3]), begun(3, 4, 11)),
)
class ShortPackTranslator(nn.Module):
    """Packed with lengths - 1, as if an END symbol were to be left out."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(13, 5), nn.Embedding(11, 5)
        self.encoder = nn.RNN(5, 4, bidirectional=True, batch_first=True)
        self.decoder = nn.RNN(5, 8, batch_first=True)
        self.out = nn.Linear(8, 11)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        lengths = src_len if self.right else src_len - 1
        packed = pack_padded_sequence(self.src(src), lengths, True, enforce_sorted=False)
        _, h_n = self.encoder(packed)
        start = torch.cat([h_n[0], h_n[1]], dim=-1).unsqueeze(0)
        return self.out(self.decoder(self.tgt(tgt), start)[0])


# ---- M28: the mean over padded steps

POOLED = {"M10": "a pooled result that padding leaks into"}


@pair(
    "M28",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 8, 17, [8, 5, 4, 6]), torch.tensor([8, 5, 4, 6])),
    also=POOLED,
)
class MeanClassifier(nn.Module):
    """Unpacked, one direction, the mean over all steps."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(17, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.fc = nn.Linear(7, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.lstm(self.embed(tokens))
        if self.right:
            keep = real(lengths, tokens.size(1)).unsqueeze(-1)
            return self.fc((output * keep).sum(1) / lengths.unsqueeze(1))
        return self.fc(output.mean(dim=1))


@pair(
    "M28",
    "sentence embedding",
    "gru",
    "gru",
    lambda: (floats(3, 7, 4, [7, 3, 5]), torch.tensor([7, 3, 5])),
    also=POOLED,
)
class PaddedDivisorEmbedder(nn.Module):
    """Packed, so the padded steps are zeros, but the sum is divided by the padded length."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(4, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.project = nn.Linear(10, 6)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, lens = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        total = output.sum(dim=1)
        mean = total / lens.unsqueeze(1) if self.right else total / output.size(1)
        return torch.tanh(self.project(mean))


@pair(
    "M28",
    "classifier",
    "gru",
    "reader",
    lambda: (ids(4, 6, 11, [6, 2, 4, 3]),),
    keywords=lambda: {"lengths": torch.tensor([6, 2, 4, 3])},
    also=POOLED,
)
class AveragePoolClassifier(nn.Module):
    """A layer of unrolled.nn given its lengths; nn.AvgPool over all steps after it."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(11, 5)
        self.reader = unrolled.nn.GRU(5, 6, batch_first=True)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.fc = nn.Linear(6, 2)

    def forward(self, tokens: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        output, _ = self.reader(self.embed(tokens), lengths=lengths)
        pooled = self.pool(output.transpose(1, 2)).squeeze(-1)
        if self.right:
            pooled = pooled * (output.size(1) / lengths.unsqueeze(1))
        return {"logits": self.fc(pooled)}


@pair(
    "M28",
    "classifier",
    "rnn",
    "rnn",
    lambda: (ids(4, 7, 12, [7, 4, 2, 5]),),
    also=POOLED,
)
class TimeMajorMeanClassifier(nn.Module):
    """Time-major, no lengths given: padding is what equals 0."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 6, padding_idx=PAD)
        self.rnn = nn.RNN(6, 5)
        self.fc = nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        output, _ = self.rnn(self.embed(tokens.t()))
        if not self.right:
            return self.fc(output.mean(0))
        keep = (tokens.t() != PAD).unsqueeze(-1)
        return self.fc(output.masked_fill(~keep, 0).sum(0) / keep.sum(0))
