"""Correct models that say something at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import correct
from .example_inputs import PAD, floats, ids, real

LENGTHS = [7, 5, 3]


def ragged_ids() -> tuple[Tensor, Tensor]:
    return ids(3, 7, 18, LENGTHS), torch.tensor(LENGTHS)


@correct("tagger", "lstm", ragged_ids)
class PackedTagger(nn.Module):
    """Packed, padded back to all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(18, 6, padding_idx=PAD)
        self.lstm = nn.LSTM(6, 7, num_layers=2, bidirectional=True, batch_first=True)
        self.hidden2tag = nn.Linear(14, 5)

    def forward(self, sentence: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embed(sentence), lengths, batch_first=True, enforce_sorted=False
        )
        output, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=sentence.size(1)
        )
        return self.hidden2tag(output)


@correct("tagger", "gru", lambda: (ids(4, 6, 15),))
class FlatLogitsTagger(nn.Module):
    """The output viewed as (batch x steps, features) for a linear layer, and viewed back."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5)
        self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 4)

    def forward(self, words: Tensor) -> Tensor:
        output, _ = self.gru(self.embed(words))
        flat = self.fc(output.contiguous().view(-1, output.shape[2]))
        return torch.log_softmax(flat, 1).view(words.size(0), words.size(1), -1)


@correct("tagger", "lstm", lambda: (ids(3, 6, 12), torch.randint(1, 10, (3, 6, 5))))
class CharCnnTagger(nn.Module):
    """Characters through a convolution, words through a BiLSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.chars = nn.Embedding(12, 6), nn.Embedding(10, 4)
        self.conv = nn.Conv1d(4, 5, 3, padding=1)
        self.lstm = nn.LSTM(11, 6, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(12, 5)

    def forward(self, words: Tensor, chars: Tensor) -> Tensor:
        batch, steps, size = chars.shape
        spelled = self.chars(chars.view(batch * steps, size)).transpose(1, 2)
        spelled = torch.relu(self.conv(spelled)).amax(2).view(batch, steps, -1)
        output, _ = self.lstm(torch.cat([self.words(words), spelled], -1))
        return self.tags(output)


@correct("tagger", "lstm", lambda: (ids(3, 6, 12, [6, 4, 3]), torch.randint(1, 10, (3, 6, 5))))
class CharLstmTagger(nn.Module):
    """A recurrent layer over each word's characters, and one over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.chars = nn.Embedding(12, 6), nn.Embedding(10, 4)
        self.char_lstm = nn.LSTM(4, 3, bidirectional=True, batch_first=True)
        self.word_gru = nn.GRU(12, 5, batch_first=True)
        self.tags = nn.Linear(5, 4)

    def forward(self, words: Tensor, chars: Tensor) -> Tensor:
        batch, steps, size = chars.shape
        _, (h, _) = self.char_lstm(self.chars(chars.reshape(-1, size)))
        spelled = torch.cat([h[0], h[1]], 1).reshape(batch, steps, -1)
        output, _ = self.word_gru(torch.cat([self.words(words), spelled], -1))
        return self.tags(output)


@correct("tagger", "gru", ragged_ids)
class CrfTagger(nn.Module):
    """Emissions and the log partition of a linear-chain CRF over the real steps."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(18, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 4, bidirectional=True, batch_first=True)
        self.emit = nn.Linear(8, 3)
        self.transitions = nn.Parameter(torch.randn(3, 3))

    def forward(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(self.embed(words), lengths, True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.gru(packed)[0], True, total_length=words.size(1))
        emissions = self.emit(output)
        mask = real(lengths, words.size(1))
        score = emissions[:, 0]
        for t in range(1, words.size(1)):
            step = torch.logsumexp(score.unsqueeze(2) + self.transitions, 1) + emissions[:, t]
            score = torch.where(mask[:, t, None], step, score)
        return emissions, score.logsumexp(1)


@correct("tagger", "lstm", lambda: (floats(3, 7, 4),))
class HandMadeDirections(nn.Module):
    """Two layers one way each; the reversed one is turned back."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead, self.behind = nn.LSTM(4, 5, batch_first=True), nn.LSTM(4, 5, batch_first=True)
        self.fc = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        forward, _ = self.ahead(x)
        backward, _ = self.behind(torch.flip(x, [1]))
        return self.fc(torch.cat([forward, torch.flip(backward, [1])], dim=2))


@correct("tagger", "gru", ragged_ids)
class RaggedHandMadeDirections(nn.Module):
    """The reversed reading turned within each sample's length, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(18, 5, padding_idx=PAD)
        self.ahead, self.behind = nn.GRU(5, 6, batch_first=True), nn.GRU(5, 6, batch_first=True)
        self.fc = nn.Linear(12, 4)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        x = self.embed(words)
        steps = torch.arange(words.size(1))
        turned = lengths[:, None] - 1 - steps
        turned = torch.where(turned < 0, steps, turned).unsqueeze(-1)
        backward, _ = self.behind(x.gather(1, turned.expand_as(x)))
        backward = backward.gather(1, turned.expand_as(backward))
        return self.fc(torch.cat([self.ahead(x)[0], backward], -1))


@correct("tagger", "gru", lambda: (floats(3, 6, 5),))
class ResidualStack(nn.Module):
    """Four layers with residuals and layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Linear(5, 8)
        self.layers = nn.ModuleList(nn.GRU(8, 8, batch_first=True) for _ in range(4))
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(4))
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x))[0]
        return self.out(x)


@correct("tagger", "lstm", lambda: (ids(3, 6, 14),))
class HighwayStack(nn.Module):
    """Highway gates around bidirectional layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 8)
        self.layers = nn.ModuleList(
            nn.LSTM(8, 4, bidirectional=True, batch_first=True) for _ in range(2)
        )
        self.gates = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.out = nn.Linear(8, 4)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words)
        for layer, gate in zip(self.layers, self.gates, strict=True):
            carry = torch.sigmoid(gate(x))
            x = carry * layer(x)[0] + (1 - carry) * x
        return self.out(x)


@correct("tagger", "gru", lambda: (torch.randn(3, 1, 8, 12),))
class Crnn(nn.Module):
    """Convolutions over an image's columns, a BiGRU, and CTC's log probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d((2, 1))
        )
        self.rnn = nn.GRU(16, 6, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(12, 7)

    def forward(self, image: Tensor) -> Tensor:
        features = self.cnn(image)  # (batch, channels, height, width)
        batch, channels, height, width = features.shape
        columns = features.view(batch, channels * height, width).permute(2, 0, 1)
        output, _ = self.rnn(columns)
        return self.fc(output).log_softmax(2)  # (width, batch, classes), as CTC wants it


@correct("multi-task tagger", "lstm", ragged_ids)
class MultiTask(nn.Module):
    """Tags from every step, an intent from the final states, a reconstruction from the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(18, 6, padding_idx=PAD)
        self.encoder = nn.LSTM(6, 5, bidirectional=True, batch_first=True)
        self.slots, self.intent, self.topic = nn.Linear(10, 4), nn.Linear(10, 3), nn.Linear(10, 2)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        packed = pack_padded_sequence(self.embed(words), lengths, True, enforce_sorted=False)
        output, (h_n, _) = self.encoder(packed)
        output, lens = pad_packed_sequence(output, True, total_length=words.size(1))
        return {
            "slots": self.slots(output),
            "intent": self.intent(torch.cat([h_n[-2], h_n[-1]], 1)),
            "topic": self.topic(output.sum(1) / lens[:, None]),
        }


@correct("tagger", "gru", lambda: (ids(3, 7, 12),), hints=lambda: {"target": ids(3, 7, 12) % 4})
class OrdinaryTaggerWithTarget(nn.Module):
    """A bidirectional tagger whose target is of the same step: it may see the future."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 5)
        self.gru = nn.GRU(5, 6, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(12, 4)

    def forward(self, words: Tensor) -> Tensor:
        return self.fc(self.gru(self.embed(words))[0])


@correct(
    "tagger",
    "lstm",
    lambda: (floats(3, 6, 4).transpose(0, 1).contiguous(),),
    hints=lambda: {"batch_dim": 1, "time_dim": 0},
)
class TimeMajorTagger(nn.Module):
    """Time-major from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(12, 3)

    def forward(self, frames: Tensor) -> Tensor:
        return self.fc(self.lstm(frames)[0])


@correct("tagger", "lstm", lambda: (floats(4, 6, 3),))
class TagsAndTheLast(nn.Module):
    """All tags, and the last of them by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tags = self.head(self.lstm(x)[0])
        return tags, tags[:, -1]


@correct("classifier", "lstm", lambda: (ids(4, 7, 14, [4, 7, 2, 5]),))
class BothEnds(nn.Module):
    """Both directions at the first and at the last real word."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, text: Tensor) -> Tensor:
        lengths = (text != PAD).sum(1)
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        ends = [output[:, 0], output[torch.arange(len(text)), lengths - 1]]
        return self.head(torch.cat(ends, 1))
