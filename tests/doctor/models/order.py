"""M13, M24: rows left sorted, steps left reversed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import pair
from .example_inputs import begun, floats, ids

# ---- M13: sorted for packing, never unsorted


@pair(
    "M13",
    "classifier",
    "lstm",
    "lstm",
    lambda: (ids(4, 7, 19, [3, 7, 5, 4]), torch.tensor([3, 7, 5, 4])),
)
class SortedClassifier(nn.Module):
    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(19, 6)
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.fc = nn.Linear(7, 3)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        sorted_lengths, order = lengths.sort(descending=True)
        packed = pack_padded_sequence(
            self.embed(tokens[order]), sorted_lengths.cpu(), batch_first=True
        )
        _, (h_n, _) = self.lstm(packed)
        last = h_n[-1]
        if self.right:
            last = last[order.argsort()]
        return self.fc(last)


@pair(
    "M13",
    "tagger",
    "gru",
    "gru",
    lambda: (floats(5, 6, 3, [2, 6, 4, 5, 3]), torch.tensor([2, 6, 4, 5, 3])),
)
class SortedTagger(nn.Module):
    """Every step's output, time-major, two directions."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 5, bidirectional=True)
        self.out = nn.Linear(10, 4)

    def forward(self, frames: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        lengths, order = torch.sort(lengths, 0, descending=True)
        packed = pack_padded_sequence(frames.index_select(0, order).transpose(0, 1), lengths)
        output, _ = pad_packed_sequence(self.gru(packed)[0], total_length=frames.size(1))
        if self.right:
            _, back = order.sort()
            output = output.index_select(1, back)
        return {"scores": self.out(output).transpose(0, 1)}


@pair(
    "M13",
    "encoder-decoder",
    "rnn",
    "encoder",
    lambda: (ids(3, 6, 12, [4, 3, 6]), torch.tensor([4, 3, 6]), begun(3, 5, 11)),
)
class SortedTranslator(nn.Module):
    """The sources are sorted inside, the targets are not."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.src, self.tgt = nn.Embedding(12, 4), nn.Embedding(11, 4)
        self.encoder = nn.RNN(4, 6, num_layers=2, batch_first=True)
        self.decoder = nn.RNN(4, 6, num_layers=2, batch_first=True)
        self.out = nn.Linear(6, 11)

    def forward(self, src: Tensor, src_len: Tensor, tgt: Tensor) -> Tensor:
        order = torch.argsort(src_len, descending=True)
        packed = pack_padded_sequence(self.src(src)[order], src_len[order], batch_first=True)
        _, h_n = self.encoder(packed)
        if self.right:
            unsorted = torch.empty_like(order)
            unsorted[order] = torch.arange(len(order))
            h_n = h_n[:, unsorted].contiguous()
        return self.out(self.decoder(self.tgt(tgt), h_n)[0])


# ---- M24: a reversed sequence not turned back


@pair("M24", "tagger", "lstm", "backward_lstm", lambda: (ids(3, 7, 14),))
class TwoWayTagger(nn.Module):
    """Two directions made by hand."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(14, 5)
        self.forward_lstm = nn.LSTM(5, 6, batch_first=True)
        self.backward_lstm = nn.LSTM(5, 6, batch_first=True)
        self.fc = nn.Linear(12, 5)

    def forward(self, words: Tensor) -> Tensor:
        embedded = self.embed(words)
        forward, _ = self.forward_lstm(embedded)
        backward, _ = self.backward_lstm(embedded.flip(1))
        if self.right:
            backward = backward.flip(1)
        return self.fc(torch.cat([forward, backward], dim=-1))


@pair("M24", "regressor", "gru", "rev", lambda: (floats(4, 6, 3),))
class TwoWaySmoother(nn.Module):
    """Time-major, the two directions summed, a dict comes out."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.fwd, self.rev = nn.GRU(3, 8), nn.GRU(3, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = x.transpose(0, 1)
        ahead = self.fwd(x)[0]
        behind = self.rev(torch.flip(x, dims=[0]))[0]
        if self.right:
            behind = torch.flip(behind, dims=[0])
        return {"smooth": self.out(torch.relu(ahead + behind)).transpose(0, 1)}


@pair("M24", "contextual embedding", "rnn", "layers.1", lambda: (ids(3, 5, 12),))
class AlternatingStack(nn.Module):
    """Layers that run alternately forward and in reverse; a residual aligns them with the words."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(12, 6)
        self.layers = nn.ModuleList(nn.RNN(6, 6, batch_first=True) for _ in range(2))
        self.norm = nn.LayerNorm(6)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        x = self.embed(words)
        x = x + self.layers[0](x)[0]
        backward, h_n = self.layers[1](x.flip(1))
        if self.right:
            backward = backward.flip(1)
        return self.norm(x + backward), h_n[-1]
