"""Correct models that read a sequence into one vector: classifiers, regressors, embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
)

import unrolled.nn

from .case import correct
from .example_inputs import PAD, floats, ids, real

LENGTHS = [7, 4, 5, 2]


def ragged_ids() -> tuple[Tensor, Tensor]:
    return ids(4, 7, 20, LENGTHS), torch.tensor(LENGTHS)


def ragged_floats() -> tuple[Tensor, Tensor]:
    return floats(4, 7, 3, LENGTHS), torch.tensor(LENGTHS)


@correct("classifier", "lstm", ragged_ids)
class PackedFinalStateClassifier(nn.Module):
    """Packed with enforce_sorted=False, the last layer's two final states side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=PAD)
        self.rnn = nn.LSTM(6, 8, num_layers=2, bidirectional=True, dropout=0.5, batch_first=True)
        self.fc = nn.Linear(16, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, text: Tensor, text_lengths: Tensor) -> Tensor:
        embedded = self.dropout(self.embedding(text))
        packed = pack_padded_sequence(
            embedded, text_lengths.to("cpu"), batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.rnn(packed)
        hidden = self.dropout(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1))
        return self.fc(hidden)


@correct("classifier", "gru", ragged_ids)
class SortedAndUnsortedClassifier(nn.Module):
    """Sorted for packing, and every result put back in its row."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 7)
        self.fc = nn.Linear(7, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        ordered, perm = lengths.sort(descending=True)
        _, unperm = perm.sort()
        packed = pack_padded_sequence(self.embed(tokens[perm].t()), ordered.cpu())
        _, h_n = self.gru(packed)
        return self.fc(h_n[-1, unperm])


@correct("classifier", "lstm", ragged_ids)
class PresortedClassifier(nn.Module):
    """Sorted, packed with enforce_sorted=True, and put back with index_copy."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        lengths, order = lengths.sort(descending=True, stable=True)
        packed = pack_padded_sequence(self.embed(tokens[order]), lengths, batch_first=True)
        final = self.lstm(packed)[1][0].squeeze(0)
        return torch.zeros_like(final).index_copy(0, order, final) @ self.fc.weight.t()


@correct("classifier", "lstm", ragged_ids)
class GatherClassifier(nn.Module):
    """Unpacked, one direction, torch.gather at each sample's last step."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 9, num_layers=2, batch_first=True)
        self.fc = nn.Linear(9, 4)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.lstm(self.embed(tokens))
        index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, output.size(2))
        return self.fc(output.gather(dim=1, index=index).squeeze(1))


@correct("classifier", "gru", lambda: (floats(5, 8, 3),))
class LastOutputClassifier(nn.Module):
    """One direction, full lengths: output[:, -1]."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 10, num_layers=3, batch_first=True, dropout=0.1)
        self.fc = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        h0 = torch.zeros(3, x.size(0), 10, dtype=x.dtype, device=x.device)
        out, _ = self.gru(x, h0)
        return self.fc(out[:, -1, :])


@correct("classifier", "rnn", lambda: (floats(3, 5, 4),))
class CharacterNameClassifier(nn.Module):
    """Two RNN layers, time-major, h_n[-1], log probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(4, 8, num_layers=2)
        self.h2o = nn.Linear(8, 5)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, line: Tensor) -> Tensor:
        _, hidden = self.rnn(line.transpose(0, 1))
        return self.softmax(self.h2o(hidden[-1]))


@correct("classifier", "lstm", lambda: (ids(3, 6, 14),))
class LastTwoStatesClassifier(nn.Module):
    """h_n[-2:] turned to batch first and flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 4)
        self.lstm = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(10, 2)

    def forward(self, words: Tensor) -> Tensor:
        _, (h_n, _) = self.lstm(self.embed(words.t()))
        return self.fc(h_n[-2:].transpose(0, 1).flatten(1))


@correct("classifier", "gru", lambda: (floats(4, 6, 3),))
class AllStatesClassifier(nn.Module):
    """Every layer's final states, batch axis first, then flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.gru(x)[1]
        h = h.view(2, 2, x.size(0), 4)[:, :].permute(2, 0, 1, 3)
        return self.fc(h.reshape(x.size(0), -1))


@correct("classifier", "lstm", ragged_ids)
class MaskedMeanClassifier(nn.Module):
    """Mean over the real steps."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 5, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(10, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(tokens), lengths, True, enforce_sorted=False)
        output, lens = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.fc(output.sum(1) / lens.to(output.dtype).unsqueeze(1))


@correct("classifier", "rnn", ragged_floats)
class MaskedMaxClassifier(nn.Module):
    """Maximum over the real steps; padding is filled with -inf."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 6, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.rnn(x)
        mask = torch.arange(x.size(1), device=x.device)[None, :] >= lengths[:, None]
        return self.fc(output.masked_fill(mask.unsqueeze(-1), float("-inf")).amax(1))


@correct("classifier", "gru", lambda: (ids(4, 7, 20, LENGTHS),))
class AttentionPoolClassifier(nn.Module):
    """Attention pooling with a mask made from the ids; weights come out too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.attn = nn.Linear(6, 1)
        self.fc = nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        output, _ = self.gru(self.embed(tokens))
        scores = self.attn(torch.tanh(output)).squeeze(2)
        scores = scores.masked_fill(tokens == PAD, -1e9)
        alpha = torch.softmax(scores, dim=1)
        return self.fc(torch.bmm(alpha.unsqueeze(1), output).squeeze(1)), alpha


@correct("classifier", "lstm", ragged_ids)
class PoolsSideBySide(nn.Module):
    """Concat pooling of the last state, the maximum and the mean, all masked."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.head = nn.Sequential(nn.BatchNorm1d(18), nn.Linear(18, 3))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        output, _ = self.lstm(self.embed(tokens))
        keep = real(lengths, tokens.size(1)).unsqueeze(-1)
        last = output[torch.arange(len(tokens)), lengths - 1]
        most = output.masked_fill(~keep, -1e4).max(1)[0]
        mean = (output * keep).sum(1) / keep.sum(1)
        return self.head(torch.cat([last, most, mean], 1))


@correct("classifier", "gru", lambda: (pack_sequence([torch.randn(n, 3) for n in (6, 4, 1)]),))
class PackedInputClassifier(nn.Module):
    """Takes a PackedSequence."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 6, bidirectional=True)
        self.fc = nn.Linear(12, 2)

    def forward(self, packed: PackedSequence) -> Tensor:
        _, h_n = self.gru(packed)
        return self.fc(torch.cat([h_n[0], h_n[1]], dim=1))


@correct(
    "classifier",
    "lstm",
    lambda: ({"input_ids": ids(3, 6, 15, [6, 3, 4]), "lengths": torch.tensor([6, 3, 4])},),
)
class DictInputClassifier(nn.Module):
    """A dict goes in, a dict comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        packed = pack_padded_sequence(
            self.embed(batch["input_ids"]), batch["lengths"], True, enforce_sorted=False
        )
        logits = self.fc(self.lstm(packed)[1][0][-1])
        return {"logits": logits, "probabilities": logits.softmax(-1)}


@correct(
    "classifier",
    "gru",
    tuple,
    keywords=lambda: {
        "input_ids": ids(3, 6, 15, [6, 2, 4]),
        "attention_mask": real(torch.tensor([6, 2, 4]), 6).long(),
    },
)
class KeywordInputClassifier(nn.Module):
    """Keyword arguments only, with a mask of ones and zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(15, 5, padding_idx=PAD)
        self.encoder = nn.GRU(5, 6, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(12, 2)

    def forward(self, *, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embeddings(input_ids), attention_mask.sum(1).cpu(), True, enforce_sorted=False
        )
        _, h_n = self.encoder(packed)
        return self.classifier(h_n.transpose(0, 1).reshape(len(input_ids), -1))


class Prediction(NamedTuple):
    value: Tensor
    features: Tensor


@correct("regressor", "lstm", lambda: (floats(4, 9, 5),))
class NamedResultRegressor(nn.Module):
    """BatchNorm over the features, a named tuple comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.fc = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Prediction:
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        _, (h_n, _) = self.lstm(x)
        return Prediction(self.fc(h_n[-1]).squeeze(-1), h_n[-1])


@correct("sentence pair", "lstm", lambda: (ids(3, 5, 14), ids(3, 7, 14)))
class SiameseEncoder(nn.Module):
    """One encoder reads both sentences; exp of the Manhattan distance."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        a, b = (self.lstm(self.embed(text))[1][0][-1] for text in (left, right))
        return torch.exp(-(a - b).abs().sum(1))


@correct("document classifier", "gru", lambda: (ids(6, 5, 16).view(2, 3, 5),))
class HierarchicalAttention(nn.Module):
    """Words read into sentences, sentences into a document, attention at both levels."""

    class Level(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.gru = nn.GRU(size, 4, bidirectional=True, batch_first=True)
            self.project = nn.Linear(8, 8)
            self.context = nn.Linear(8, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            output, _ = self.gru(x)
            weights = self.context(torch.tanh(self.project(output))).softmax(dim=1)
            return (weights * output).sum(dim=1)

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 5)
        self.words, self.sentences = self.Level(5), self.Level(8)
        self.fc = nn.Linear(8, 3)

    def forward(self, document: Tensor) -> Tensor:
        batch, sentences, words = document.shape
        flat = self.words(self.embed(document.view(batch * sentences, words)))
        return self.fc(self.sentences(flat.view(batch, sentences, -1)))


@correct("classifier", "gru", ragged_floats)
class GriddedClassifier(nn.Module):
    """A layer of unrolled.nn with lengths; the final states asked for by name."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = unrolled.nn.GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(10, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        states = self.gru.unroll(x, lengths=lengths)
        summary = torch.cat([states.final(-1, "forward"), states.final(-1, "reverse")], -1)
        return self.fc(summary)


@correct("classifier", "lstm", lambda: (floats(4, 6, 4).bfloat16(),))
class BfloatClassifier(nn.Module):
    """Weights and inputs in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)
        self.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x)[0][:, -1])


@correct("regressor", "gru", lambda: (floats(3, 5, 4).half(),))
class HalfRegressor(nn.Module):
    """Weights and inputs in half precision, two directions."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 1)
        self.half()

    def forward(self, x: Tensor) -> Tensor:
        _, h_n = self.gru(x)
        return self.fc(torch.cat((h_n[0], h_n[1]), -1))


@dataclass
class Readout:
    logits: Tensor
    embedding: Tensor


@correct("speaker embedding", "lstm", lambda: (floats(4, 8, 6),))
class SpeakerVerifier(nn.Module):
    """Three layers with projections, the last frame, a dataclass comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 10, num_layers=3, batch_first=True, proj_size=5)
        self.fc = nn.Linear(5, 4)

    def forward(self, mels: Tensor) -> Readout:
        frames, _ = self.lstm(mels)
        embedding = frames[:, frames.size(1) - 1]
        embedding = embedding / embedding.norm(dim=1, keepdim=True)
        return Readout(self.fc(embedding), embedding)


@correct("classifier", "rnn", lambda: (floats(4, 12, 2),))
class EchoState(nn.Module):
    """A frozen random reservoir and a trained read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.reservoir = nn.RNN(2, 20, batch_first=True)
        for parameter in self.reservoir.parameters():
            parameter.requires_grad_(False)
        self.reservoir.weight_hh_l0.mul_(
            0.9 / torch.linalg.matrix_norm(self.reservoir.weight_hh_l0, 2)
        )
        self.readout = nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.reservoir(x)[0][:, -1])


@correct("classifier", "lstm", lambda: (ids(4, 7, 13),))
class ReverseReader(nn.Module):
    """Reads the sequence from its end, and uses only the final state."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, words: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embed(words.flip(1)))[1][0][-1])
