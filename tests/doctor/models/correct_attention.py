"""Correct models with attention of other shapes, and softmaxes that are no attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import correct
from .example_inputs import PAD, begun, floats, ids, real


def read(rnn: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    """(batch, step, unit): packed by a mask and padded again."""
    packed = pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=x.size(1))[0]


@correct("sentence pair", "lstm", lambda: (ids(3, 6, 15, [6, 4, 5]), ids(3, 5, 15, [2, 5, 4])))
class SoftAlignedPair(nn.Module):
    """ESIM: each sentence attends to the other; one softmax over rows and one over columns."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 6)
        self.first = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(24, 3, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, premise: Tensor, hypothesis: Tensor) -> Tensor:
        ours, theirs = premise != PAD, hypothesis != PAD
        a = read(self.first, self.embed(premise), ours)
        b = read(self.first, self.embed(hypothesis), theirs)
        scores = a @ b.transpose(1, 2)
        over_b = scores.masked_fill(~theirs.unsqueeze(1), -1e9).softmax(2)
        over_a = scores.masked_fill(~ours.unsqueeze(2), -1e9).softmax(1)
        a_read, b_read = over_b @ b, over_a.transpose(1, 2) @ a
        pooled = []
        for own, other, mask in ((a, a_read, ours), (b, b_read, theirs)):
            joined = read(self.second, torch.cat([own, other, own * other], -1), mask)
            pooled.append(joined.masked_fill(~mask.unsqueeze(-1), -1e9).amax(1))
        return self.head(torch.cat(pooled, 1))


@correct("question answering", "gru", lambda: (ids(3, 7, 15), ids(3, 4, 15)))
class QueryAwareContext(nn.Module):
    """BiDAF: context to query, query to context, and where the answer begins."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5)
        self.rnn = nn.GRU(5, 3, batch_first=True, bidirectional=True)
        self.similar = nn.Linear(18, 1)
        self.model = nn.GRU(24, 4, batch_first=True, bidirectional=True)
        self.start = nn.Linear(8, 1)

    def forward(self, context: Tensor, query: Tensor) -> Tensor:
        c, q = self.rnn(self.embed(context))[0], self.rnn(self.embed(query))[0]
        left = c.unsqueeze(2).expand(-1, -1, q.size(1), -1)
        right = q.unsqueeze(1).expand(-1, c.size(1), -1, -1)
        scores = self.similar(torch.cat([left, right, left * right], -1)).squeeze(-1)
        to_query = scores.softmax(-1) @ q
        to_context = scores.amax(2).softmax(-1).unsqueeze(1) @ c
        joined = torch.cat([c, to_query, c * to_query, c * to_context], -1)
        return self.start(self.model(joined)[0]).squeeze(-1).softmax(-1)


@correct("tagger", "gru", lambda: (floats(3, 6, 4),))
class GatedExperts(nn.Module):
    """A gate over three experts at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 6, batch_first=True)
        self.gate = nn.Linear(6, 3)
        self.experts = nn.ModuleList([nn.Linear(6, 5) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.rnn(x)
        said = torch.stack([expert(output) for expert in self.experts], -2)
        return (self.gate(output).softmax(-1).unsqueeze(-1) * said).sum(-2)


@correct("speaker embedding", "lstm", lambda: (floats(3, 7, 4),))
class ClusteredPooling(nn.Module):
    """NetVLAD: each step is shared out among clusters, and what is left of each is summed."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
        self.share = nn.Linear(10, 3)
        self.centers = nn.Parameter(torch.randn(3, 10))

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        shares = self.share(output).softmax(-1)  # (batch, step, cluster)
        left = output.unsqueeze(2) - self.centers
        return nn.functional.normalize((shares.unsqueeze(-1) * left).sum(1), dim=2).flatten(1)


@correct("document classifier", "gru", lambda: (ids(3, 7, 15, [7, 4, 5]),))
class LabelsThatAttend(nn.Module):
    """CAML: each label reads the document by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 5, padding_idx=PAD)
        self.gru = nn.GRU(5, 4, batch_first=True, bidirectional=True)
        self.labels = nn.Linear(8, 6, bias=False)
        self.final = nn.Linear(8, 6)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        mask = text != PAD
        memory = read(self.gru, self.embed(text), mask)
        scores = self.labels.weight @ memory.transpose(1, 2)  # (batch, label, step)
        weights = scores.masked_fill(~mask.unsqueeze(1), -1e9).softmax(2)
        return (self.final.weight * (weights @ memory)).sum(2) + self.final.bias, weights


@correct(
    "summarizer",
    "lstm",
    lambda: (ids(3, 6, 13, [6, 4, 3]), torch.tensor([6, 4, 3]), begun(3, 4, 13)),
)
class MaskedAfterSoftmax(nn.Module):
    """A pointer-generator's attention: softmax, times the mask, divided by its sum."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 5)
        self.encoder = nn.GRU(5, 6, batch_first=True)
        self.decoder = nn.GRU(5, 6, batch_first=True)
        self.out, self.switch = nn.Linear(12, 13), nn.Linear(12, 1)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(source), lengths, True, enforce_sorted=False)
        memory, state = self.encoder(packed)
        memory, _ = pad_packed_sequence(memory, batch_first=True)
        mask, steps = real(lengths, memory.size(1)).to(memory.dtype), []
        for symbol in self.embed(target).split(1, 1):
            query, state = self.decoder(symbol, state)
            weights = (memory @ query.transpose(1, 2)).squeeze(2).softmax(1) * mask
            weights = weights / weights.sum(1, keepdim=True)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            joined = torch.cat([query.squeeze(1), context], 1)
            copying = torch.sigmoid(self.switch(joined))
            written = (1 - copying) * self.out(joined).softmax(1)
            steps.append(written.scatter_add(1, source, copying * weights))
        return torch.stack(steps, 1)


@correct("tagger", "gru", lambda: (floats(4, 6, 3),))
class TagProbabilities(nn.Module):
    """The probabilities of the tags come out."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0]).softmax(-1)


@correct("set reader", "gru", lambda: (floats(3, 6, 4),))
class SlotsThatCompete(nn.Module):
    """Slot attention: slots share out each step, and each takes the mean of its share."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 6, batch_first=True)
        self.key, self.query, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.slots = nn.Parameter(torch.randn(3, 6))
        self.update = nn.GRUCell(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        memory, _ = self.rnn(x)
        slots = self.slots.expand(len(x), -1, -1)
        for _ in range(2):
            shares = (self.key(memory) @ self.query(slots).mT).softmax(-1)
            shares = shares / shares.sum(1, keepdim=True)
            taken = shares.mT @ self.value(memory)
            slots = self.update(taken.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
        return slots


@correct("classifier", "lstm", lambda: (floats(3, 7, 4),))
class RoutedCapsules(nn.Module):
    """Each step says to which capsule it belongs; its votes are summed over the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True, bidirectional=True)
        self.votes = nn.Parameter(torch.randn(3, 8, 5) / 3)

    def forward(self, x: Tensor) -> Tensor:
        votes = torch.einsum("btd,jdo->btjo", self.lstm(x)[0], self.votes)
        agreed = votes.new_zeros(votes.shape[:3])
        for _ in range(2):
            capsules = (agreed.softmax(2).unsqueeze(-1) * votes).sum(1)
            capsules = capsules / (1 + capsules.norm(dim=-1, keepdim=True))
            agreed = agreed + (votes * capsules.unsqueeze(1)).sum(-1)
        return capsules.norm(dim=-1)
