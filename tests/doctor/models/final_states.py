"""M01, M02, M03, M06, M29: the wrong cells of the grid taken for the final states."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn

from .case import pair
from .example_inputs import END, PAD, begun, ended, floats, ids

# ---- M01: the last step of a bidirectional output


@pair("M01", "classifier", "lstm", "lstm", lambda: (ids(4, 7, 20),), severities=("error",))
class SentimentClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 9, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(18, 3)

    def forward(self, text: Tensor) -> Tensor:
        output, (hidden, _) = self.lstm(self.dropout(self.embedding(text)))
        last = torch.cat((hidden[-2], hidden[-1]), dim=1) if self.right else output[:, -1, :]
        return self.fc(self.dropout(last))


@pair("M01", "regressor", "gru", "rnn", lambda: (floats(6, 3, 5),), severities=("error",))
class ActivityRegressor(nn.Module):
    """Time-major, two layers."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.norm = nn.LayerNorm(5)
        self.rnn = nn.GRU(5, 8, num_layers=2, dropout=0.2, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(16, 10), nn.ReLU(), nn.Linear(10, 1))

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.rnn(self.norm(x))
        last = torch.cat([output[-1, :, :8], output[0, :, 8:]], -1) if self.right else output[-1]
        return self.head(last).squeeze(-1)


@pair(
    "M01",
    "sentence pair",
    "rnn",
    "encoder",
    lambda: (ids(3, 6, 15), ids(3, 8, 15)),
    severities=("error",),
)
class SentencePairScorer(nn.Module):
    """Two sentences read by one encoder; a dict comes out."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(15, 7)
        self.encoder = nn.RNN(7, 5, batch_first=True, bidirectional=True)
        self.match = nn.Bilinear(10, 10, 2)

    def encode(self, sentence: Tensor) -> Tensor:
        output, h_n = self.encoder(self.embed(sentence))
        if self.right:
            return h_n.transpose(0, 1).reshape(sentence.size(0), -1)
        return output[:, -1]

    def forward(self, premise: Tensor, hypothesis: Tensor) -> dict[str, Tensor]:
        return {"logits": self.match(self.encode(premise), self.encode(hypothesis))}


@pair("M01", "forecaster", "lstm", "reader", lambda: (floats(4, 9, 3),), severities=("error",))
class LoadForecaster(nn.Module):
    """A layer of unrolled.nn, and more than one output."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.reader = unrolled.nn.LSTM(3, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.mean = nn.Linear(12, 4)
        self.spread = nn.Linear(12, 4)

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        output, (h_n, _) = self.reader(series)
        summary = torch.cat([h_n[2], h_n[3]], -1) if self.right else output[:, -1]
        return self.mean(summary), nn.functional.softplus(self.spread(summary))


# ---- M02: the reverse half gathered at length - 1


@pair(
    "M02",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 8, 25, [8, 5, 6, 3]), torch.tensor([8, 5, 6, 3])),
    severities=("error",),
)
class PackedTopicClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(25, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 7, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(14, 5)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        packed_output, (h_n, _) = self.lstm(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        if self.right:
            last = torch.cat([h_n[-2], h_n[-1]], dim=-1)
        else:
            index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))
            last = output.gather(1, index).squeeze(1)
        return self.classifier(last)


@pair(
    "M02",
    "speaker embedding",
    "gru",
    "gru",
    lambda: (
        floats(3, 7, 4, [7, 4, 5]).transpose(0, 1).contiguous(),
        torch.tensor([7, 4, 5]),
    ),
    severities=("error",),
)
class SpeakerEmbedder(nn.Module):
    """Time-major float features, a stack of two."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(4, 6, 2, bidirectional=True)
        self.project = nn.Linear(12, 8)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(frames, lengths.cpu(), enforce_sorted=False)
        output, _ = pad_packed_sequence(self.gru(packed)[0])
        rows = torch.arange(frames.size(1))
        last = output[lengths - 1, rows]
        if self.right:
            last = torch.cat([last[:, :6], output[0, :, 6:]], dim=1)
        return nn.functional.normalize(self.project(last), dim=-1)


@pair(
    "M02",
    "encoder-decoder",
    "gru",
    "encoder",
    lambda: (ids(3, 6, 12, [6, 3, 4]), torch.tensor([6, 3, 4]), begun(3, 5, 11)),
    severities=("error",),
)
class SummaryDecoder(nn.Module):
    """An encoder of unrolled.nn; its summary starts the decoder."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.source = nn.Embedding(12, 5)
        self.target = nn.Embedding(11, 5)
        self.encoder = unrolled.nn.GRU(5, 4, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(5, 8, batch_first=True)
        self.out = nn.Linear(8, 11)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        output, h_n = self.encoder(self.source(src), lengths=src_len)
        if self.right:
            summary = torch.cat([h_n[0], h_n[1]], -1)
        else:
            summary = output[torch.arange(len(src)), src_len - 1]
        decoded, _ = self.decoder(self.target(tgt), summary.unsqueeze(0).contiguous())
        return self.out(decoded)


@pair(
    "M02",
    "classifier",
    "rnn",
    "model.rnn",
    lambda: (floats(4, 6, 3, [6, 6, 2, 4]),),
    keywords=lambda: {"lengths": torch.tensor([6, 6, 2, 4])},
    severities=("error",),
)
class GestureClassifier(nn.Module):
    """The recurrent layer stands one module deeper; lengths come by keyword."""

    class Reader(nn.Module):
        def __init__(self, right: bool) -> None:
            super().__init__()
            self.right = right
            self.rnn = nn.RNN(3, 5, bidirectional=True, batch_first=True)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            packed = pack_padded_sequence(x, lengths, True, enforce_sorted=False)
            output, h_n = self.rnn(packed)
            output, _ = pad_packed_sequence(output, batch_first=True)
            if self.right:
                return torch.cat(tuple(h_n), dim=-1)
            return torch.stack([row[n - 1] for row, n in zip(output, lengths, strict=True)])

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.model = self.Reader(right)
        self.logits = nn.Linear(10, 4)

    def forward(self, x: Tensor, *, lengths: Tensor) -> Tensor:
        return self.logits(self.model(x, lengths)).log_softmax(-1)


# ---- M03: (layers x directions, batch, hidden) viewed as (batch, features)


@pair("M03", "classifier", "lstm", "lstm", lambda: (ids(5, 6, 18),), severities=("error",))
class ReviewClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(18, 7)
        self.lstm = nn.LSTM(7, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        _, (h_n, _) = self.lstm(self.embedding(x))
        if self.right:
            h_n = h_n.transpose(0, 1).contiguous()
        return self.fc(h_n.view(x.size(0), -1))


@pair("M03", "regressor", "gru", "gru", lambda: (floats(4, 8, 3),), severities=("error",))
class EngineLifeRegressor(nn.Module):
    """One direction, three layers, all of them read."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 5, num_layers=3, batch_first=True)
        self.fc = nn.Sequential(nn.Linear(15, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.gru(x)
        if self.right:
            h = h.permute(1, 0, 2)
        return self.fc(h.reshape(-1, 15))


@pair(
    "M03",
    "multi-task tagger",
    "rnn",
    "encoder",
    lambda: (ids(3, 7, 16, [7, 5, 3]), torch.tensor([7, 5, 3])),
    severities=("error",),
)
class IntentAndSlots(nn.Module):
    """Slots from the output, which is right; the intent from the states."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(16, 6, padding_idx=PAD)
        self.encoder = nn.RNN(6, 4, bidirectional=True)
        self.slots = nn.Linear(8, 5)
        self.intent = nn.Linear(8, 3)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        packed = pack_padded_sequence(self.embed(words.t()), lengths)
        output, h_n = self.encoder(packed)
        output, _ = pad_packed_sequence(output, total_length=words.size(1))
        summary = torch.cat([h_n[0], h_n[1]], 1) if self.right else h_n.view(words.size(0), -1)
        return {"slots": self.slots(output.transpose(0, 1)), "intent": self.intent(summary)}


# ---- M06: the first num_layers rows of h_n taken for the forward ones


@pair(
    "M06",
    "encoder-decoder",
    "lstm",
    "encoder",
    lambda: (ids(3, 6, 14), begun(3, 4, 13)),
    severities=("error",),
)
class ForwardStatesTranslator(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src_embed = nn.Embedding(14, 5)
        self.tgt_embed = nn.Embedding(13, 5)
        self.encoder = nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.decoder = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.generator = nn.Linear(6, 13)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        _, (h, c) = self.encoder(self.src_embed(src))
        if self.right:
            h, c = h[0::2].contiguous(), c[0::2].contiguous()
        else:
            h, c = h[: self.decoder.num_layers], c[: self.decoder.num_layers]
        output, _ = self.decoder(self.tgt_embed(tgt), (h, c))
        return self.generator(output)


@pair(
    "M06",
    "forecaster",
    "gru",
    "encoder",
    lambda: (floats(4, 6, 2), floats(4, 3, 2)),
    severities=("error",),
    also={"M05": "states of different layers are summed on the way to the decoder"},
)
class SummedDirectionsForecaster(nn.Module):
    """The directions summed, the halves of h_n taken for the directions."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.GRU(2, 5, num_layers=3, bidirectional=True, batch_first=True)
        self.decoder = nn.GRU(2, 5, num_layers=3, batch_first=True)
        self.out = nn.Linear(5, 2)

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        _, h = self.encoder(past)
        h = h[0::2] + h[1::2] if self.right else h[:3] + h[3:]
        return self.out(self.decoder(known, h)[0])


@pair("M06", "classifier", "rnn", "rnn", lambda: (floats(5, 4, 6),), severities=("error",))
class TopStatesClassifier(nn.Module):
    """h_n viewed as (directions, layers, ...) instead of (layers, directions, ...)."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(6, 4, num_layers=2, nonlinearity="tanh", bidirectional=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.rnn(x.transpose(0, 1))
        if self.right:
            top = h.view(2, 2, x.size(0), 4)[-1]
            return self.fc(torch.cat([top[0], top[1]], -1))
        directions = h.view(2, 2, x.size(0), 4)
        return self.fc(torch.cat([directions[0, -1], directions[1, -1]], -1))


# ---- M29: the output at END taken for the summary

END_IS_LAST = {
    "M02": "END is the last real symbol, so this is a gather at length - 1 as well",
    "M01": "in the longest sentence END stands at the last step",
}


@pair(
    "M29",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ended(4, 7, 20, [7, 4, 6, 3]),),
    severities=("error", "warning"),
    also=END_IS_LAST,
)
class EndTokenClassifier(nn.Module):
    """Lengths are counted from the ids."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embedding = nn.Embedding(20, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 8, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PAD).sum(1)
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        output, (h_n, _) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True, total_length=tokens.size(1))
        if self.right:
            return self.fc(torch.cat([h_n[0], h_n[1]], -1))
        eos = (tokens == END).int().argmax(dim=1)
        return self.fc(output[torch.arange(tokens.size(0)), eos])


@pair(
    "M29",
    "encoder-decoder",
    "gru",
    "encoder",
    lambda: (ended(3, 6, 15, [6, 6, 6]), begun(3, 4, 12)),
    also=END_IS_LAST,
)
class EndTokenTranslator(nn.Module):
    """All sentences equally long; the state at END starts the decoder."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src = nn.Embedding(15, 5)
        self.tgt = nn.Embedding(12, 5)
        self.encoder = nn.GRU(5, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(8, 7)
        self.decoder = nn.GRU(5, 7, batch_first=True)
        self.out = nn.Linear(7, 12)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        output, h_n = self.encoder(self.src(source))
        summary = torch.cat([h_n[-2], h_n[-1]], -1) if self.right else output[source == END]
        start = torch.tanh(self.bridge(summary)).unsqueeze(0)
        return self.out(self.decoder(self.tgt(target), start)[0])


@pair(
    "M29",
    "sentence embedding",
    "rnn",
    "encode.rnn",
    lambda: (ended(4, 5, 11, [4, 5, 3, 5]), torch.tensor([4, 5, 3, 5])),
    also=END_IS_LAST,
)
class EndTokenEmbedder(nn.Module):
    """Time-major inside; a mask picks END."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(11, 4)
        self.encode = nn.ModuleDict({"rnn": nn.RNN(4, 6, bidirectional=True)})

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(self.embed(tokens.t()), lengths, enforce_sorted=False)
        output, h_n = self.encode["rnn"](packed)
        output, _ = pad_packed_sequence(output, total_length=tokens.size(1))
        if self.right:
            vector = torch.cat([h_n[0], h_n[1]], -1)
        else:
            at_end = (tokens.t() == END).unsqueeze(-1).to(output.dtype)
            vector = (output * at_end).sum(0)
        return vector, lengths
