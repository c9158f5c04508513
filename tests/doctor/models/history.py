"""M19, M20, M21, M27: states from nowhere, from another batch, from an old graph; idle dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import unrolled.nn

from .case import pair
from .example_inputs import begun, floats, ids

# ---- M19: a random initial state at every call


@pair("M19", "classifier", "lstm", "lstm", lambda: (ids(4, 6, 15),))
class RandomStartClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(15, 5)
        self.lstm = nn.LSTM(5, 7, num_layers=2, batch_first=True)
        self.fc = nn.Linear(7, 3)

    def init_hidden(self, batch_size: int) -> tuple[Tensor, Tensor]:
        make = torch.zeros if self.right else torch.randn
        weight = self.fc.weight
        shape = (2, batch_size, 7)
        return make(shape).to(weight), make(shape).to(weight)

    def forward(self, text: Tensor) -> Tensor:
        _, (h_n, _) = self.lstm(self.embed(text), self.init_hidden(text.size(0)))
        return self.fc(h_n[-1])


@pair("M19", "language model", "gru", "rnn", lambda: (ids(3, 7, 12),))
class RandomStartLanguageModel(nn.Module):
    """Uniform noise; the twin starts from a learned vector."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 6)
        self.rnn = nn.GRU(6, 8)
        self.start = nn.Parameter(torch.zeros(1, 1, 8))
        self.out = nn.Linear(8, 12)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        start = self.start.expand(-1, text.size(0), -1)
        if not self.right:
            start = torch.rand_like(start)
        output, h_n = self.rnn(self.embed(text.t()), start.contiguous())
        return self.out(output).transpose(0, 1), h_n


@pair("M19", "encoder-decoder", "rnn", "decoder", lambda: (floats(4, 6, 3), floats(4, 3, 2)))
class NoisyStartForecaster(nn.Module):
    """Only the decoder starts from noise, beside the encoder's context."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.encoder = nn.RNN(3, 5, batch_first=True)
        self.decoder = nn.RNN(7, 5, batch_first=True)
        self.out = nn.Linear(5, 1)

    def forward(self, past: Tensor, known: Tensor) -> dict[str, Tensor]:
        _, context = self.encoder(past)
        start = context
        if not self.right:
            start = torch.empty_like(context)
            nn.init.xavier_normal_(start[0].detach())
        repeated = context[-1].unsqueeze(1).expand(-1, known.size(1), -1)
        output, _ = self.decoder(torch.cat([known, repeated], -1), start)
        return {"forecast": self.out(output)}


# ---- M20: the state kept across unrelated batches


@pair("M20", "classifier", "lstm", "lstm", lambda: (floats(4, 6, 3),), outputs_differ=False)
class RememberingClassifier(nn.Module):
    """The state of the last batch starts the next one; the twin starts anew."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.fc = nn.Linear(6, 2)
        self.hidden: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.right:
            self.hidden = None
        if self.hidden is not None and self.hidden[0].size(1) != x.size(0):
            self.hidden = None
        output, (h, c) = self.lstm(x, self.hidden)
        self.hidden = (h.detach(), c.detach())
        return self.fc(output[:, -1])


@pair("M20", "sentence embedding", "gru", "gru", lambda: (ids(3, 5, 13),), outputs_differ=False)
class RememberingEmbedder(nn.Module):
    """A buffer holds the state; the twin zeroes it before each batch."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(13, 4)
        self.gru = nn.GRU(4, 6, num_layers=2)
        self.register_buffer("state", torch.zeros(2, 3, 6), persistent=False)

    def forward(self, words: Tensor) -> Tensor:
        if self.right or self.state.size(1) != words.size(0):
            self.state = self.embed.weight.new_zeros(2, words.size(0), 6)
        _, h_n = self.gru(self.embed(words.t()), self.state)
        self.state = h_n.detach()
        return h_n[-1]


@pair("M20", "forecaster", "rnn", "net.rnn", lambda: (floats(5, 6, 2),), outputs_differ=False)
class RememberingForecaster(nn.Module):
    """A stateful layer without a way to reset it; the twin is a stream with reset_state()."""

    class Stateful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(2, 5, batch_first=True)
            self.last_state: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.last_state is not None and self.last_state.shape[1] != x.shape[0]:
                self.last_state = None
            output, h_n = self.rnn(x, self.last_state)
            self.last_state = h_n.detach()
            return output

    class Resettable(Stateful):
        def reset_state(self) -> None:
            self.last_state = None

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.net = self.Resettable() if right else self.Stateful()
        self.fc = nn.Linear(5, 1)
        if right:
            self.reset_state = self.net.reset_state

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output = self.net(x)
        return self.fc(output), output


# ---- M21: a carried state that is not detached. Right and wrong alike are streams with a reset.


@pair("M21", "language model", "lstm", "lstm", lambda: (ids(3, 6, 12),), outputs_differ=False)
class UndetachedLanguageModel(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.out = nn.Linear(6, 12)
        self.hidden: tuple[Tensor, Tensor] | None = None

    def reset_hidden(self) -> None:
        self.hidden = None

    def forward(self, text: Tensor) -> Tensor:
        if self.hidden is not None and self.hidden[0].size(1) != text.size(0):
            self.reset_hidden()
        output, (h, c) = self.lstm(self.embed(text), self.hidden)
        self.hidden = (h.detach(), c.detach()) if self.right else (h, c)
        return self.out(output)


@pair("M21", "online predictor", "gru", "cell", lambda: (floats(4, 5, 3),), outputs_differ=False)
class UndetachedPredictor(nn.Module):
    """A cell in a loop; the state lives on from call to call."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.cell = nn.GRUCell(3, 6)
        self.out = nn.Linear(6, 3)
        self.state: Tensor | None = None

    def reset(self) -> None:
        self.state = None

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.state
        if h is None or h.size(0) != x.size(0):
            h = x.new_zeros(x.size(0), 6)
        elif self.right:
            h = h.detach()
        predictions = []
        for step in x.unbind(1):
            h = self.cell(step, h)
            predictions.append(self.out(h))
        self.state = h
        return {"next": torch.stack(predictions, 1)}


@pair("M21", "classifier", "rnn", "rnn", lambda: (floats(3, 6, 4),), outputs_differ=False)
class UndetachedClassifier(nn.Module):
    """Time-major; the states are kept in a dict by name."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.rnn = nn.RNN(4, 7)
        self.fc = nn.Linear(7, 3)
        self.states: dict[str, Tensor] = {}

    def reset_states(self) -> None:
        self.states.clear()

    def forward(self, x: Tensor) -> Tensor:
        h_0 = self.states.get("rnn")
        if h_0 is not None and h_0.size(1) != x.size(0):
            h_0 = None
        output, h_n = self.rnn(x.transpose(0, 1), h_0)
        self.states["rnn"] = h_n.detach() if self.right else h_n
        return self.fc(output[-1])


# ---- M27: dropout given with one layer


@pair(
    "M27",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 6, 14),),
    severities=("warning", "note"),
)
class IdleDropoutClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(14, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2 if right else 1, dropout=0.5, batch_first=True)
        self.fc = nn.Linear(6, 3)

    def forward(self, text: Tensor) -> Tensor:
        return self.fc(self.lstm(self.embed(text))[1][0][-1])


@pair(
    "M27",
    "encoder-decoder",
    "gru",
    "decoder",
    lambda: (ids(3, 5, 12), begun(3, 4, 11)),
    severities=("warning", "note"),
    outputs_differ=False,
)
class IdleDropoutTranslator(nn.Module):
    """The twin has a dropout of its own."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.src, self.tgt = nn.Embedding(12, 5), nn.Embedding(11, 5)
        self.encoder = nn.GRU(5, 6, batch_first=True)
        self.decoder = nn.GRU(5, 6, batch_first=True, dropout=0.0 if right else 0.3)
        self.dropout = nn.Dropout(0.3 if right else 0.0)
        self.out = nn.Linear(6, 11)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        _, h_n = self.encoder(self.src(src))
        output, _ = self.decoder(self.dropout(self.tgt(tgt)), h_n)
        return self.out(self.dropout(output))


@pair(
    "M27",
    "tagger",
    "rnn",
    "stack.0",
    lambda: (floats(3, 6, 4),),
    severities=("warning", "note"),
    outputs_differ=False,
)
class IdleDropoutStack(nn.Module):
    """Layers stacked by hand, each given a dropout that it cannot apply."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        given = 0.0 if right else 0.2
        self.stack = nn.ModuleList([nn.RNN(4, 6, dropout=given), nn.RNN(6, 6, dropout=given)])
        self.drop = nn.Dropout(0.2 if right else 0.0)
        self.out = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)
        for layer in self.stack:
            x = self.drop(layer(x)[0])
        return self.out(x).transpose(0, 1)


@pair(
    "M27",
    "classifier",
    "gru",
    "gru",
    lambda: (floats(4, 5, 3),),
    severities=("warning", "note"),
    outputs_differ=False,
)
class IdleUnrolledDropout(nn.Module):
    """A layer of unrolled.nn in two directions, which are one layer."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.gru = unrolled.nn.GRU(3, 5, bidirectional=True, dropout=0.0 if right else 0.4)
        self.fc = nn.Linear(10, 2)

    def forward(self, x: Tensor) -> Tensor:
        _, h_n = self.gru(x.transpose(0, 1))
        return self.fc(torch.cat([h_n[0], h_n[1]], -1))
