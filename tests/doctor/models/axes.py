"""M07, M08, M09, M14, M15: axes taken for other axes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn

from .case import pair
from .example_inputs import PAD, begun, floats, ids, real

# ---- M07: batch_first forgotten


@pair("M07", "classifier", "lstm", "lstm", lambda: (floats(5, 8, 3),), severities=("error",))
class WaveformClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 7, num_layers=2, batch_first=right)
        self.fc = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        return self.fc(output[:, -1, :])


@pair("M07", "tagger", "gru", "encoder.gru", lambda: (ids(4, 6, 15),), severities=("error",))
class ForgottenAxisTagger(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 6)
        self.encoder = nn.ModuleDict({"gru": nn.GRU(6, 5, bidirectional=True, batch_first=right)})
        self.tags = nn.Linear(10, 7)

    def forward(self, words: Tensor) -> dict[str, Tensor]:
        states = self.encoder["gru"](self.embed(words))[0]
        return {"emissions": self.tags(states)}


@pair("M07", "language model", "rnn", "rnn", lambda: (ids(3, 9, 11),), severities=("error",))
class CharLanguageModel(nn.Module):
    """A learned start, so the layer's batch axis is given a size."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.Embedding(11, 5)
        self.rnn = nn.RNN(5, 6, nonlinearity="relu", batch_first=right)
        self.decoder = nn.Linear(6, 11)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        h_0 = torch.zeros(1, text.size(0 if self.right else 1), 6)
        h_0 = h_0.to(self.decoder.weight)
        output, h_n = self.rnn(self.encoder(text), h_0)
        return self.decoder(output), h_n


# ---- M08: view used as a transpose


@pair("M08", "classifier", "lstm", "lstm", lambda: (floats(4, 6, 5),), severities=("error",))
class SensorClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.lstm = nn.LSTM(5, 8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, size = x.shape
        x = x.transpose(0, 1) if self.right else x.contiguous().view(steps, batch, size)
        _, (h_n, _) = self.lstm(x)
        return self.fc(h_n[-1])


@pair("M08", "regressor", "gru", "gru", lambda: (floats(3, 8, 2).transpose(1, 2),))
class ConvolvedRegressor(nn.Module):
    """Channels and time of a convolution's result swapped by view."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.conv = nn.Sequential(nn.Conv1d(2, 6, 1), nn.ReLU())
        self.gru = nn.GRU(6, 7, batch_first=True)
        self.fc = nn.Linear(7, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)  # (batch, channels, steps)
        batch, channels, steps = features.shape
        sequence = features.transpose(1, 2) if self.right else features.view(batch, steps, channels)
        return self.fc(self.gru(sequence)[1][0])


@pair("M08", "tagger", "rnn", "rnn", lambda: (ids(3, 5, 14),), severities=("error",))
class ReshapedTagger(nn.Module):
    """Viewed to time-major, and viewed back."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(14, 4)
        self.rnn = nn.RNN(4, 6)
        self.tags = nn.Linear(6, 5)

    def forward(self, words: Tensor) -> Tensor:
        embedded = self.embed(words)
        if self.right:
            return self.tags(self.rnn(embedded.permute(1, 0, 2))[0].permute(1, 0, 2))
        batch, steps = words.shape
        output, _ = self.rnn(embedded.reshape(steps, batch, -1))
        return self.tags(output.reshape(batch, steps, -1))


# ---- M09: sequence length 1 by accident


@pair("M09", "classifier", "lstm", "lstm", lambda: (torch.randn(6, 10),))
class SeriesClassifier(nn.Module):
    """A series of ten numbers becomes one step of ten features."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.lstm = nn.LSTM(1 if right else 10, 8, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x.unsqueeze(2 if self.right else 1))
        return self.fc(output[:, -1])


@pair("M09", "tagger", "gru", "gru", lambda: (floats(3, 6, 4),))
class FlattenedTagger(nn.Module):
    """Steps flattened into the batch for a linear layer, and never taken out again."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.inp = nn.Linear(4, 5)
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, size = x.shape
        flat = torch.relu(self.inp(x.reshape(-1, size)))
        sequence = flat.view(batch, steps, -1) if self.right else flat.view(batch * steps, 1, -1)
        output, _ = self.gru(sequence)
        return self.out(output).reshape(batch, steps, -1)


@pair("M09", "classifier", "rnn", "head.rnn", lambda: (torch.randn(3, 1, 6, 9),))
class PooledColumnsClassifier(nn.Module):
    """The columns of an image averaged away before the recurrent layer."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.conv = nn.Conv2d(1, 5, 3, padding=1)
        self.head = nn.ModuleDict({"rnn": nn.RNN(5, 4, num_layers=2), "fc": nn.Linear(4, 6)})

    def forward(self, image: Tensor) -> Tensor:
        features = torch.relu(self.conv(image)).mean(2)  # (batch, channels, columns)
        columns = features.permute(2, 0, 1) if self.right else features.mean(2).unsqueeze(0)
        return self.head["fc"](self.head["rnn"](columns)[0][-1])


# ---- M14: pad_packed_sequence without the same batch_first


@pair(
    "M14",
    "tagger",
    "lstm",
    "lstm",
    lambda: (ids(4, 7, 13, [7, 6, 4, 2]), torch.tensor([7, 6, 4, 2])),
)
class SwappedAxesTagger(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(13, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(12, 4)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embed(words), lengths, batch_first=True, enforce_sorted=False
        )
        output, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=self.right)
        return self.fc(output)


@pair(
    "M14",
    "classifier",
    "gru",
    "gru",
    lambda: (floats(5, 6, 3, [6, 6, 5, 4, 2]), torch.tensor([6, 6, 5, 4, 2])),
    also={
        "M03": "samples are mixed",
        "M07": "the batch axis is read as time",
        "M10": "the mean over the wrong axis reads padding",
        "M28": "the mean over the wrong axis is divided by the size of the batch",
    },
)
class BatchMeanClassifier(nn.Module):
    """The mean that was to be over time is over the batch."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True)
        output, lens = pad_packed_sequence(self.gru(packed)[0], batch_first=self.right)
        if self.right:
            return self.fc(output.sum(1) / lens.unsqueeze(1))
        return self.fc(output.sum(1) / output.size(1))


@pair(
    "M14",
    "tagger",
    "rnn",
    "rnn",
    lambda: (
        ids(3, 6, 12, [5, 6, 3]).t().contiguous(),
        torch.tensor([5, 6, 3]),
    ),
    hints=lambda: {"batch_dim": 1, "time_dim": 0},
)
class TimeMajorScorer(nn.Module):
    """Time-major in, time-major promised, batch first given."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 4)
        self.rnn = nn.RNN(4, 5, num_layers=2)
        self.score = nn.Linear(5, 1)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        packed = pack_padded_sequence(self.embed(words), lengths, enforce_sorted=False)
        output, lens = pad_packed_sequence(self.rnn(packed)[0], batch_first=not self.right)
        return {"scores": self.score(output).squeeze(-1), "lengths": lens}


# ---- M15: output cut to the longest length, masks and labels not


@pair(
    "M15",
    "tagger",
    "lstm",
    "lstm",
    lambda: (ids(3, 9, 13, [6, 4, 5]), torch.tensor([6, 4, 5])),
)
class CutOutputTagger(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(13, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 7, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(14, 4)

    def forward(self, words: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        packed = pack_padded_sequence(self.embed(words), lengths, True, enforce_sorted=False)
        total = words.size(1) if self.right else None
        output, _ = pad_packed_sequence(self.lstm(packed)[0], True, total_length=total)
        return {"logits": self.fc(output), "mask": words != PAD}


@pair(
    "M15",
    "language model",
    "gru",
    "rnn",
    lambda: (floats(4, 8, 3, [3, 7, 7, 2]),),
    keywords=lambda: {"lengths": torch.tensor([3, 7, 7, 2])},
)
class CutForecaster(nn.Module):
    """One forecast a step; the caller compares them with all steps."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.GRU(3, 6, num_layers=2, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        total = x.size(1) if self.right else None
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=total)
        return self.out(output)


@pair(
    "M15",
    "encoder-decoder",
    "rnn",
    "encoder",
    lambda: (ids(3, 8, 12, [6, 4, 5]), torch.tensor([6, 4, 5]), begun(3, 4, 11)),
    also={"M10": "how far the mask is off depends on the longest sample of the batch"},
)
class MisalignedMaskTranslator(nn.Module):
    """The mask is cut to the output's steps from the wrong end."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(12, 5), nn.Embedding(11, 5)
        self.encoder = nn.RNN(5, 6, batch_first=True)
        self.decoder = nn.RNN(5, 6, batch_first=True)
        self.out = nn.Linear(12, 11)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.src(src), src_len, True, enforce_sorted=False)
        memory, h_n = self.encoder(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True)
        mask = real(src_len, src.size(1))
        steps = memory.size(1)
        mask = mask[:, :steps] if self.right else mask[:, -steps:]
        output, _ = self.decoder(self.tgt(tgt), h_n)
        scores = (output @ memory.transpose(1, 2)).masked_fill(~mask[:, None], -1e9)
        context = scores.softmax(-1) @ memory
        return self.out(torch.cat([output, context], -1))


@pair(
    "M15",
    "tagger",
    "gru",
    "gru",
    lambda: (ids(4, 7, 10, [4, 6, 5, 1]), torch.tensor([4, 6, 5, 1])),
)
class CutUnrolledTagger(nn.Module):
    """A layer of unrolled.nn; the model cuts the output itself."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(10, 4)
        self.gru = unrolled.nn.GRU(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)

    def forward(self, words: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        output, _ = self.gru(self.embed(words), lengths=lengths)
        if not self.right:
            output = output[:, : int(lengths.max())]
        return self.fc(output), words.ne(PAD)
