"""Models that make something of their inputs before a layer reads them, or read several of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from .case import pair
from .example_inputs import floats, ids, real


def unpacked(packed: PackedSequence, steps: int) -> Tensor:
    return pad_packed_sequence(packed, batch_first=True, total_length=steps)[0]


def exercises() -> tuple[Tensor, Tensor, Tensor]:
    """Questions, whether they were answered rightly, and the questions that come next."""
    questions, answered = torch.randint(0, 10, (4, 9)), torch.randint(0, 2, (4, 8))
    return questions[:, :-1], answered, questions[:, 1:]


class KnowledgeTracing(nn.Module):
    """Question and answer are one symbol, computed from both."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.exercise = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 7, **settings)
        self.head = nn.LazyLinear(10)

    def forward(self, questions: Tensor, answered: Tensor, next_questions: Tensor) -> Tensor:
        output, _ = self.lstm(self.exercise(questions + 10 * answered))
        chances = torch.sigmoid(self.head(output))
        return chances.gather(-1, next_questions.unsqueeze(-1)).squeeze(-1)


def tracing(**settings: Any) -> KnowledgeTracing:
    model = KnowledgeTracing(**settings)
    model(*exercises())
    return model


@pair("M18", "online predictor", "lstm", "lstm", exercises)
def answers_seen(right: bool) -> nn.Module:
    """The answer to be predicted is read by the reverse direction."""
    return tracing(batch_first=True, bidirectional=not right)


@pair("M07", "online predictor", "lstm", "lstm", exercises, severities=("error",))
def learners_in_a_row(right: bool) -> nn.Module:
    """batch_first forgotten, the symbols computed."""
    return tracing(batch_first=right)


@pair(
    "M04",
    "recommender",
    "gru",
    "gru",
    lambda: (ids(4, 7, 20), torch.tensor([1, 2, 3, 4])),
    severities=("error",),
)
class StartedByUser(nn.Module):
    """What stands for a user is looked up and viewed into h_0."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.item, self.user = nn.Embedding(20, 6), nn.Embedding(9, 10)
        self.gru = nn.GRU(6, 5, num_layers=2, batch_first=True)
        self.head = nn.Linear(5, 20)

    def forward(self, items: Tensor, user: Tensor) -> Tensor:
        start = self.user(user)
        if self.right:
            start = start.view(-1, 2, 5).transpose(0, 1).contiguous()
        output, _ = self.gru(self.item(items), start.view(2, -1, 5))
        return self.head(output)


@pair("M08", "text recogniser", "gru", "gru", lambda: (torch.randn(3, 1, 6, 9),))
class ColumnsOfAnImage(nn.Module):
    """(batch, channel, row, column) viewed as (batch, column, channel and row)."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.gru = nn.GRU(24, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 7)

    def forward(self, image: Tensor) -> Tensor:
        seen = self.conv(image).relu()
        batch, channels, rows, columns = seen.shape
        if self.right:
            seen = seen.permute(0, 3, 1, 2)
        return self.head(self.gru(seen.reshape(batch, columns, channels * rows))[0])


@pair("M24", "tagger", "lstm", "reverse.1", lambda: (ids(4, 7, 20),))
class TwoStacks(nn.Module):
    """A stack for each direction; the reversed one is not turned back."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(20, 5)
        self.onward = nn.LSTM(5, 5, num_layers=2, batch_first=True)
        self.reverse = nn.ModuleList(nn.LSTM(5, 5, batch_first=True) for _ in range(2))
        self.head = nn.Linear(10, 4)

    def forward(self, text: Tensor) -> Tensor:
        symbols = self.embed(text)
        turned = symbols.flip(1)
        for layer in self.reverse:
            turned = layer(turned)[0]
        if self.right:
            turned = turned.flip(1)
        return self.head(torch.cat([self.onward(symbols)[0], turned], -1))


@pair(
    "M23",
    "classifier",
    "gru",
    "attention",
    lambda: (ids(4, 7, 20, [7, 4, 6, 3]), torch.tensor([7, 4, 6, 3])),
    also={"M10": "what is attended to is added up"},
)
class HeadsOverStates(nn.Module):
    """PyTorch's multi-head attention over packed states, without key_padding_mask."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(20, 6)
        self.gru = nn.GRU(6, 4, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        memory = unpacked(self.gru(packed)[0], text.shape[1])
        pads = ~real(lengths, text.shape[1])
        read, _ = self.attention(
            memory, memory, memory, key_padding_mask=pads if self.right else None
        )
        return self.head(read.masked_fill(pads.unsqueeze(-1), 0).sum(1) / lengths.unsqueeze(1))


@pair(
    "M23",
    "classifier",
    "rnn",
    "rnn",
    lambda: (ids(4, 7, 20, [7, 4, 6, 3]), torch.tensor([7, 4, 6, 3])),
    also={"M10": "what is attended to is added up"},
)
class OneCallOfAttention(nn.Module):
    """scaled_dot_product_attention over packed states, without a mask."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(20, 6)
        self.rnn = nn.RNN(6, 8, batch_first=True)
        self.query, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, text: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), lengths, True, enforce_sorted=False)
        output, hidden_state = self.rnn(packed)
        memory = unpacked(output, text.shape[1])
        mask = real(lengths, text.shape[1]).unsqueeze(1) if self.right else None
        query = self.query(hidden_state[-1]).unsqueeze(1)
        read = nn.functional.scaled_dot_product_attention(query, memory, memory, attn_mask=mask)
        return self.head(read.squeeze(1))


@pair(
    "M23",
    "span reader",
    "lstm",
    "question_lstm",
    lambda: (
        ids(4, 7, 20, [7, 4, 6, 3]),
        real(torch.tensor([7, 4, 6, 3]), 7),
        ids(4, 5, 20, [5, 2, 3, 4]),
        real(torch.tensor([5, 2, 3, 4]), 5),
    ),
)
class AnswerInText(nn.Module):
    """The question, which has a mask of its own, is summed up with its padding."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(20, 6)
        self.text_lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.question_lstm = nn.LSTM(6, 4, batch_first=True, bidirectional=True)
        self.score, self.match = nn.Linear(8, 1), nn.Linear(8, 8)

    def read(self, lstm: nn.Module, text: Tensor, mask: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(text), mask.sum(1), True, enforce_sorted=False)
        return unpacked(lstm(packed)[0], text.shape[1])

    def forward(
        self, text: Tensor, text_mask: Tensor, question: Tensor, question_mask: Tensor
    ) -> Tensor:
        memory = self.read(self.text_lstm, text, text_mask)
        asked = self.read(self.question_lstm, question, question_mask)
        scores = self.score(asked).squeeze(-1)
        if self.right:
            scores = scores.masked_fill(~question_mask, -torch.inf)
        summary = (scores.softmax(1).unsqueeze(-1) * asked).sum(1)
        found = (memory @ self.match(summary).unsqueeze(-1)).squeeze(-1)
        return found * text_mask


@pair("M24", "tagger", "gru", "reverse", lambda: (ids(4, 7, 20),))
class CellsOfBothWays(nn.Module):
    """Two cells in loops; the states of the reversed one are kept as they come."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.embed = nn.Embedding(20, 5)
        self.onward, self.reverse = nn.GRUCell(5, 4), nn.GRUCell(5, 4)
        self.head = nn.Linear(8, 3)

    def forward(self, text: Tensor) -> Tensor:
        symbols = self.embed(text).unbind(1)
        there, back = self.states(self.onward, symbols), self.states(self.reverse, symbols[::-1])
        if self.right:
            back.reverse()
        return self.head(torch.cat([torch.stack(there, 1), torch.stack(back, 1)], -1))

    def states(self, cell: nn.GRUCell, symbols: tuple[Tensor, ...]) -> list[Tensor]:
        state, found = symbols[0].new_zeros(len(symbols[0]), 4), []
        for symbol in symbols:
            state = cell(symbol, state)
            found.append(state)
        return found


@pair("M16", "classifier", "lstm", "low", lambda: (floats(4, 7, 3),))
class CellStatesUpward(nn.Module):
    """The upper cell reads c of the lower one."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.low, self.high = nn.LSTMCell(3, 5), nn.LSTMCell(5, 5)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        low = high = (x.new_zeros(len(x), 5), x.new_zeros(len(x), 5))
        for step in x.unbind(1):
            low = self.low(step, low)
            high = self.high(low[0] if self.right else low[1], high)
        return self.head(high[0])


@pair(
    "M13",
    "classifier",
    "gru",
    "gru",
    lambda: (floats(5, 6, 3, [6, 3, 5, 4, 3]), torch.tensor([6, 3, 5, 4, 3])),
)
class GroupsOfOneLength(nn.Module):
    """Samples of one length are read together, and the groups put one behind the other."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        self.right = right
        self.gru = nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        groups = [(lengths == length).nonzero().squeeze(1) for length in lengths.unique()]
        states = [self.gru(x[group, : int(lengths[group[0]])])[1][-1] for group in groups]
        summary = torch.cat(states)
        if self.right:
            summary = summary[torch.cat(groups).argsort()]
        return self.head(summary)
