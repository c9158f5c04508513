"""Correct models that make something of their inputs before they read them, or read several."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from .case import correct
from .combined_inputs import unpacked
from .example_inputs import floats, ids, real


@correct(
    "transducer",
    "gru",
    lambda: (
        floats(3, 7, 4, [7, 5, 4]),
        torch.tensor([7, 5, 4]),
        ids(3, 4, 9, [4, 2, 3]),
        torch.tensor([4, 2, 3]),
    ),
)
class JoinedPredictions(nn.Module):
    """Frames and symbols each read by a layer; a result for each pair of a frame and a symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.listen = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
        self.embed, self.predict = nn.Embedding(9, 6), nn.GRU(6, 10, batch_first=True)
        self.join = nn.Linear(10, 9)

    def forward(
        self, frames: Tensor, frame_lengths: Tensor, text: Tensor, text_lengths: Tensor
    ) -> Tensor:
        packed = pack_padded_sequence(frames, frame_lengths, True, enforce_sorted=False)
        heard = unpacked(self.listen(packed)[0], frames.shape[1])
        begun = nn.functional.pad(text, (1, 0), value=1)
        predicted, _ = self.predict(self.embed(begun))
        return self.join(torch.tanh(heard.unsqueeze(2) + predicted.unsqueeze(1)))


@correct(
    "language model", "lstm", lambda: (ids(4, 7, 20, [7, 4, 6, 3]), torch.tensor([7, 4, 6, 3]))
)
class LastSymbolLeftOut(nn.Module):
    """What is fed of a padded text is all but its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.lstm = nn.LSTM(5, 4, batch_first=True)
        self.head = nn.Linear(4, 20)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(text[:, :-1]))[0])


@correct("regressor", "lstm", lambda: (floats(4, 8, 3, [8, 5, 6, 3]), torch.tensor([8, 5, 6, 3])))
class FirstStepLeftOut(nn.Module):
    """What is fed are the differences of a padded series."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.head(self.lstm(x[:, 1:] - x[:, :-1])[0])


@correct(
    "sentence pair",
    "gru",
    lambda: (
        ids(4, 7, 20, [7, 4, 6, 3]),
        torch.tensor([7, 4, 6, 3]),
        ids(4, 6, 20, [2, 6, 5, 3]),
        torch.tensor([2, 6, 5, 3]),
    ),
)
class NegativesOfTheBatch(nn.Module):
    """Each sentence is compared with its own answer, and with that of another sample."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.gru = nn.GRU(5, 4, batch_first=True)

    def summary(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        state: Tensor = self.gru(packed)[1][0]
        return state

    def forward(
        self, text: Tensor, lengths: Tensor, answer: Tensor, answer_lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        asked, answered = self.summary(text, lengths), self.summary(answer, answer_lengths)
        return (asked * answered).sum(-1), (asked * answered.roll(1, 0)).sum(-1)


@correct(
    "contextual embedding",
    "lstm",
    lambda: (ids(4, 7, 20, [7, 4, 6, 3]), torch.tensor([7, 4, 6, 3])),
)
class ResidualStacksOfBothWays(nn.Module):
    """A stack for each direction, with residuals, each layer turned back by its lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.onward = nn.ModuleList(nn.LSTM(6, 6, batch_first=True) for _ in range(3))
        self.back = nn.ModuleList(nn.LSTM(6, 6, batch_first=True) for _ in range(3))
        self.mix = nn.Parameter(torch.zeros(3))
        self.head = nn.Linear(12, 4)

    def turned(self, x: Tensor, lengths: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1])
        ends = lengths.unsqueeze(1)
        order = torch.where(steps < ends, ends - 1 - steps, steps)
        return x.gather(1, order.unsqueeze(-1).expand_as(x))

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        onward = self.embed(text)
        back, layers = self.turned(onward, lengths), []
        for one, other in zip(self.onward, self.back, strict=True):
            onward = onward + one(onward)[0]
            back = back + other(back)[0]
            layers.append(torch.cat([onward, self.turned(back, lengths)], -1))
        mixed = sum(w * layer for w, layer in zip(self.mix.softmax(0), layers, strict=True))
        return self.head(mixed) * real(lengths, text.shape[1]).unsqueeze(-1)


@correct("tagger", "gru", lambda: (ids(4, 7, 20, [7, 4, 6, 3]), torch.tensor([7, 4, 6, 3])))
class PackedThroughout(nn.Module):
    """The ids are packed, and everything up to the result works on the pack's data."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.layers = nn.ModuleList(nn.GRU(n, 4, bidirectional=True) for n in (6, 8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(text, lengths, True, enforce_sorted=False)
        packed = packed._replace(data=self.embed(packed.data))
        for layer in self.layers:
            packed, _ = layer(packed)
            packed = packed._replace(data=self.norm(packed.data))
        return unpacked(packed._replace(data=self.head(packed.data)), text.shape[1])


@correct(
    "speech encoder", "lstm", lambda: (floats(3, 12, 4, [12, 8, 10]), torch.tensor([12, 8, 10]))
)
class Pyramid(nn.Module):
    """Each layer reads two steps of the one below, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.high = nn.LSTM(12, 3, batch_first=True, bidirectional=True)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(frames, lengths, True, enforce_sorted=False)
        low = unpacked(self.low(packed)[0], frames.shape[1])
        paired = low.reshape(len(low), low.shape[1] // 2, -1)
        packed = pack_padded_sequence(paired, lengths // 2, True, enforce_sorted=False)
        return unpacked(self.high(packed)[0], paired.shape[1])


@correct("text recogniser", "gru", lambda: (torch.randn(3, 1, 4, 8),))
class ChannelsAndRowsAsMany(nn.Module):
    """Channels and rows flattened into as many features as there are columns."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.gru = nn.GRU(8, 5, batch_first=True)
        self.head = nn.Linear(5, 7)

    def forward(self, image: Tensor) -> Tensor:
        seen = self.conv(image).relu()
        batch, channels, rows, columns = seen.shape
        features = seen.view(batch, channels * rows, columns)
        return self.head(self.gru(features.transpose(1, 2))[0])


@correct(
    "policy",
    "gru",
    lambda: (floats(6, 4, 3), torch.rand(6, 4) < 0.3, torch.zeros(1, 4, 5)),
    hints=lambda: {"batch_dim": 1},
)
class EpisodesThatEnd(nn.Module):
    """Time-major; the state is an argument, and set to zero where an episode ended."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 5)
        self.policy = nn.Linear(5, 3)

    def forward(self, seen: Tensor, ended: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        outputs = []
        for step, over in zip(seen, ended, strict=True):
            state = state * (~over).to(state.dtype).view(1, -1, 1)
            output, state = self.gru(step.unsqueeze(0), state)
            outputs.append(output)
        return self.policy(torch.cat(outputs)), state
