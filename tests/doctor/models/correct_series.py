"""Correct models of time series, models with cells of their own, and models without recurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .case import correct
from .example_inputs import PAD, floats, ids


@correct("forecaster", "lstm", lambda: (floats(4, 10, 1),))
class SeriesForecaster(nn.Module):
    """The next three values from the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 8, num_layers=2, batch_first=True, dropout=0.2)
        self.linear = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h0 = torch.zeros(2, x.size(0), 8).to(x)
        c0 = torch.zeros(2, x.size(0), 8).to(x)
        out, _ = self.lstm(x, (h0, c0))
        return self.linear(out[:, -1, :])


@correct("forecaster", "gru", lambda: (floats(4, 8, 2),))
class AutoregressiveForecaster(nn.Module):
    """A decoder that reads its own forecasts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(2, 6, batch_first=True)
        self.decoder = nn.GRU(2, 6, batch_first=True)
        self.out = nn.Linear(6, 2)

    def forward(self, past: Tensor) -> Tensor:
        _, hidden = self.encoder(past)
        step, forecasts = past[:, -1:], []
        for _ in range(4):
            output, hidden = self.decoder(step, hidden)
            step = self.out(output)
            forecasts.append(step)
        return torch.cat(forecasts, 1)


@correct("forecaster", "rnn", lambda: (floats(3, 7, 2), torch.randn(3, 4)))
class StaticStartForecaster(nn.Module):
    """Static features start every layer, each through its own chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(4, 12)
        self.rnn = nn.RNN(2, 6, num_layers=2, batch_first=True)
        self.out = nn.Linear(6, 1)

    def forward(self, x: Tensor, static: Tensor) -> Tensor:
        h_0 = torch.stack(self.start(static).chunk(2, dim=1))
        return self.out(self.rnn(x, h_0)[0])


class LayerNormLSTMCell(nn.Module):
    """An LSTM cell with layer norm in its gates and on its cell state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.ih = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.norm_ih, self.norm_hh = nn.LayerNorm(4 * hidden_size), nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        i, f, g, o = (self.norm_ih(self.ih(x)) + self.norm_hh(self.hh(h))).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(self.norm_c(c)), c


@correct("tagger", "lstm", lambda: (floats(3, 6, 4),))
class LayerNormLstmTagger(nn.Module):
    """A hand-written cell with layer norm in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = LayerNormLSTMCell(4, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h, c = x.new_zeros(x.size(0), 6), x.new_zeros(x.size(0), 6)
        outputs = []
        for step in x.unbind(1):
            h, c = self.cell(step, (h, c))
            outputs.append(self.out(h))
        return torch.stack(outputs, 1)


@correct("classifier", "lstm", lambda: (floats(3, 6, 4),))
class StackedCellsClassifier(nn.Module):
    """torch.nn.LSTMCell twice per step; the last hidden state is read."""

    def __init__(self) -> None:
        super().__init__()
        self.cell1, self.cell2 = nn.LSTMCell(4, 5), nn.LSTMCell(5, 6)
        self.out = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.size(0)
        h1, c1 = x.new_zeros(batch, 5), x.new_zeros(batch, 5)
        h2, c2 = x.new_zeros(batch, 6), x.new_zeros(batch, 6)
        for t in range(x.size(1)):
            h1, c1 = self.cell1(x[:, t], (h1, c1))
            h2, c2 = self.cell2(h1, (h2, c2))
        return self.out(h2)


@correct("video forecaster", "lstm", lambda: (torch.randn(2, 4, 1, 5, 5),))
class ConvLstm(nn.Module):
    """A convolutional LSTM over frames; the next frame comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(1 + 3, 4 * 3, 3, padding=1)
        self.out = nn.Conv2d(3, 1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        batch, _, _, height, width = frames.shape
        h = c = frames.new_zeros(batch, 3, height, width)
        for frame in frames.unbind(1):
            i, f, o, g = self.gates(torch.cat([frame, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.out(h)


@correct(
    "clinical classifier",
    "gru",
    lambda: (floats(3, 6, 4), (torch.rand(3, 6, 4) > 0.4).float(), torch.rand(3, 6, 4)),
)
class GruD(nn.Module):
    """GRU-D: missing values, masks and time gaps that let states and inputs decay."""

    def __init__(self) -> None:
        super().__init__()
        self.decay_x = nn.Parameter(torch.rand(4))
        self.decay_h = nn.Linear(4, 6)
        self.cell = nn.GRUCell(8, 6)
        self.out = nn.Linear(6, 1)

    def forward(self, x: Tensor, mask: Tensor, gaps: Tensor) -> Tensor:
        mean = (x * mask).sum(1) / mask.sum(1).clamp(min=1)
        h, last = x.new_zeros(x.size(0), 6), mean
        for t in range(x.size(1)):
            m, gap = mask[:, t], gaps[:, t]
            last = m * x[:, t] + (1 - m) * last
            gamma = torch.exp(-torch.relu(self.decay_x * gap))
            filled = m * x[:, t] + (1 - m) * (gamma * last + (1 - gamma) * mean)
            h = h * torch.exp(-torch.relu(self.decay_h(gap)))
            h = self.cell(torch.cat([filled, m], 1), h)
        return torch.sigmoid(self.out(h))


@correct("forecaster", "gru", lambda: (floats(4, 7, 3),))
class Mixture(nn.Module):
    """Experts of two cells, weighed by a gate that reads the mean of the series."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 5, batch_first=True)
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.heads = nn.ModuleList([nn.Linear(5, 2), nn.Linear(6, 2)])
        self.gate = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        gates = self.gate(x.mean(1)).softmax(-1)
        of_gru = self.heads[0](self.gru(x)[0][:, -1])
        of_lstm = self.heads[1](self.lstm(x)[1][0][-1])
        return {"mean": (gates.unsqueeze(-1) * torch.stack([of_gru, of_lstm], 1)).sum(1)}


@correct("online predictor", "gru", lambda: (torch.randn(4, 3), torch.zeros(4, 6)))
class OneStepPolicy(nn.Module):
    """A recurrent policy that is called for one step at a time; the caller keeps its state."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 5), nn.Tanh())
        self.cell = nn.GRUCell(5, 6)
        self.policy, self.value = nn.Linear(6, 2), nn.Linear(6, 1)

    def forward(self, observation: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.cell(self.body(observation), hidden)
        return self.policy(hidden).softmax(-1), self.value(hidden), hidden


@correct("tagger", "none", lambda: (ids(3, 7, 14, [7, 4, 5]),))
class TransformerTagger(nn.Module):
    """torch.nn.TransformerEncoder with a padding mask; nothing recurrent."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 8, padding_idx=PAD)
        self.position = nn.Embedding(20, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(8, 4)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words) + self.position(torch.arange(words.size(1)))
        return self.out(self.encoder(x, src_key_padding_mask=words == PAD))


@correct("encoder-decoder", "none", lambda: (ids(3, 6, 13), ids(3, 5, 12)))
class TransformerTranslator(nn.Module):
    """torch.nn.Transformer with a causal mask; nothing recurrent."""

    def __init__(self) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(13, 8), nn.Embedding(12, 8)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
        self.out = nn.Linear(8, 12)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        causal = torch.ones(tgt.size(1), tgt.size(1), dtype=torch.bool).triu(1)
        output = self.transformer(self.src(src), self.tgt(tgt), tgt_mask=causal)
        return self.out(output)


@correct("image classifier", "none", lambda: (torch.randn(4, 3, 8, 8),))
class SmallCnn(nn.Module):
    """Convolutions and BatchNorm; nothing recurrent."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.fc = nn.Linear(6 * 16, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.features(image).flatten(1))


@correct("classifier", "none", lambda: (ids(4, 9, 15),))
class TextCnn(nn.Module):
    """Convolutions over words and maxima over time; nothing recurrent."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 6)
        self.convs = nn.ModuleList(nn.Conv1d(6, 4, size) for size in (2, 3, 4))
        self.fc = nn.Linear(12, 2)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words).transpose(1, 2)
        return self.fc(torch.cat([torch.relu(conv(x)).amax(2) for conv in self.convs], 1))
