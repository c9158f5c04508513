"""Correct models whose arguments are easily taken for others, and that begin or end in other ways.

Such as a class or a position for lengths, a symbol 0 for padding, a target for an input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import correct
from .example_inputs import PAD, floats, ids


@correct("text to speech", "gru", lambda: (floats(4, 7, 3), torch.tensor([3, 1, 5, 2])))
class SpokenBySomebody(nn.Module):
    """The number of a speaker at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.speakers = nn.Embedding(6, 3)
        self.gru = nn.GRU(6, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        voice = self.speakers(speaker).unsqueeze(1).expand(-1, x.size(1), -1)
        return self.head(self.gru(torch.cat([x, voice], -1))[1][-1])


@correct("aspect classifier", "lstm", lambda: (ids(4, 7, 15), torch.tensor([3, 1, 5, 2])))
class AtAspect(nn.Module):
    """Both directions at the word that is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 3)

    def forward(self, text: Tensor, aspect: Tensor) -> Tensor:
        output, _ = self.lstm(self.embed(text))
        return self.head(output[torch.arange(len(text)), aspect])


@correct(
    "classifier",
    "lstm",
    lambda: (floats(4, 6, 3, [4, 6, 2, 5]), torch.tensor([4, 6, 2, 5]), torch.tensor([1, 2, 1, 3])),
)
class StyledReader(nn.Module):
    """Lengths and a style, both whole numbers up to the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.styles = nn.Embedding(4, 5)
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(10, 2)

    def forward(self, x: Tensor, x_len: Tensor, style: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, x_len, batch_first=True, enforce_sorted=False)
        _, (h_n, _) = self.lstm(packed)
        return self.head(torch.cat([h_n[-1], self.styles(style)], 1))


@correct("classifier", "gru", lambda: (torch.tensor([[1, 2, 3, 4], [2, 2, 1, 0], [4, 3, 2, 1]]),))
class SymbolZero(nn.Module):
    """0 is a symbol like any other, and one sample ends in it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.gru = nn.GRU(4, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, letters: Tensor) -> Tensor:
        return self.head(self.gru(self.embed(letters))[1][-1])


@correct("language model", "lstm", lambda: (ids(4, 7, 13),))
class ShiftsInside(nn.Module):
    """The whole text goes in, how unlikely it is comes out; its last symbol is only foretold."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 5)
        self.rnn = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 13)

    def forward(self, text: Tensor) -> Tensor:
        logits = self.out(self.rnn(self.embed(text[:, :-1]))[0])
        loss = nn.functional.cross_entropy(logits.mT, text[:, 1:], reduction="none")
        return loss.sum(1)


@correct("denoiser", "lstm", lambda: (ids(4, 6, 13),))
class SpellingCorrector(nn.Module):
    """The same letters go in and come out, and what follows a letter may be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 5)
        self.rnn = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
        self.out = nn.Linear(12, 13)

    def forward(self, letters: Tensor) -> Tensor:
        return self.out(self.rnn(self.embed(letters))[0])


@correct("online predictor", "lstm", lambda: (floats(4, 5, 3),))
class ResetByBatch(nn.Module):
    """Keeps its state from call to call, with a reset that asks for a batch and a device."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 5, batch_first=True)
        self.head = nn.Linear(5, 2)
        self.state: tuple[Tensor, Tensor] | None = None

    def reset_states(self, batch_size: int, device: torch.device) -> None:
        zeros = torch.zeros(1, batch_size, 5, device=device)
        self.state = zeros, zeros.clone()

    def forward(self, x: Tensor) -> Tensor:
        output, (h_n, c_n) = self.rnn(x, self.state)
        self.state = h_n.detach(), c_n.detach()
        return self.head(output)


@correct("online predictor", "gru", lambda: (torch.randn(4, 6),))
class ActsOnce(nn.Module):
    """A policy that is called step by step; the first call comes without a state."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Linear(6, 5)
        self.rnn = nn.GRU(5, 5, batch_first=True)
        self.q = nn.Linear(5, 3)

    def forward(self, seen: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(torch.relu(self.inp(seen)).unsqueeze(1), hidden)
        return self.q(output.squeeze(1)), hidden


@correct("variational autoencoder", "lstm", lambda: (ids(3, 6, 13),))
class BothStatesFromLatent(nn.Module):
    """The latent starts h through one layer and c through another."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 5)
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.mean = nn.Linear(6, 4)
        self.hidden, self.cell = nn.Linear(4, 6), nn.Linear(4, 6)
        self.decoder = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 13)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.embed(text)
        latent = self.mean(self.encoder(embedded)[1][0][-1])
        start = self.hidden(latent).unsqueeze(0), self.cell(latent).unsqueeze(0)
        fed = nn.functional.pad(embedded[:, :-1], (0, 0, 1, 0))
        return self.out(self.decoder(fed, start)[0]), latent


@correct("variational autoencoder", "lstm", lambda: (ids(3, 6, 13),))
class BarsFromConductor(nn.Module):
    """MusicVAE: a conductor starts from the latent and from an empty cell, and starts each bar."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 4)
        self.encoder = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
        self.mean, self.start = nn.Linear(10, 4), nn.Linear(4, 6)
        self.conductor = nn.LSTM(4, 6, batch_first=True)
        self.bar = nn.Linear(6, 10)
        self.decoder = nn.LSTM(10, 5, batch_first=True)
        self.out = nn.Linear(5, 13)

    def forward(self, notes: Tensor) -> Tensor:
        _, (h_n, _) = self.encoder(self.embed(notes))
        latent = self.mean(torch.cat([h_n[0], h_n[1]], -1))
        h_0 = torch.tanh(self.start(latent)).unsqueeze(0)
        bars, _ = self.conductor(
            latent.unsqueeze(1).expand(-1, 2, -1), (h_0, torch.zeros_like(h_0))
        )
        before = nn.functional.pad(notes[:, :-1], (1, 0))
        written = []
        for place, part in enumerate(self.embed(before).chunk(2, 1)):
            state = torch.tanh(self.bar(bars[:, place])).unsqueeze(0).chunk(2, -1)
            told = bars[:, place : place + 1].expand(-1, part.size(1), -1)
            joined = torch.cat([part, told], -1)
            written.append(self.out(self.decoder(joined, tuple(s.contiguous() for s in state))[0]))
        return torch.cat(written, 1)


@correct(
    "relation extractor",
    "lstm",
    lambda: (
        ids(4, 7, 15, [7, 5, 6, 4]),
        torch.tensor([1, 3, 2, 0]),
        torch.tensor([5, 4, 4, 3]),
    ),
)
class BetweenTwoWords(nn.Module):
    """Both directions at two words, beside the final states; packed by the count of symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5, padding_idx=PAD)
        self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, 3)

    def forward(self, text: Tensor, first: Tensor, second: Tensor) -> Tensor:
        lengths = text.ne(PAD).sum(1)
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, (h_n, _) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        rows = torch.arange(len(text))
        taken = [output[rows, first], output[rows, second], h_n[-2], h_n[-1]]
        return self.head(torch.cat(taken, -1))
