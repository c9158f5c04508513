"""Mistakes of the first kind: another state is taken than the one that is meant."""

from __future__ import annotations

from ._mistake import Mistake, Reading, mended

_LAST_STEP = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        output, (h_n, c_n) = self.lstm(x)
        return self.head(output[:, -1])


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_AT_LENGTHS = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed_output, h_n = self.gru(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        return self.head(output[torch.arange(len(x)), lengths - 1])


model = Classifier()
x, lengths = torch.randn(4, 7, 8), torch.tensor([7, 5, 4, 2])
logits = model(x, lengths)
"""

_FIRST_ROWS = """\
import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(8, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(8, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x, y):
        _, h_n = self.encoder(x)
        output, _ = self.decoder(y, h_n[:2])
        return self.head(output)


model = Translator()
x, y = torch.randn(4, 7, 8), torch.randn(4, 6, 8)
logits = model(x, y)
"""

_OFF_BY_ONE = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x, lengths):
        output, _ = self.gru(x)
        return self.head(output[torch.arange(len(x)), lengths - 2])


model = Classifier()
x, lengths = torch.randn(4, 7, 8), torch.tensor([7, 5, 4, 2])
logits = model(x, lengths)
"""

_MEMORY_LOST = """\
import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(8, 16, batch_first=True)
        self.decoder = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x, y):
        _, (h_n, c_n) = self.encoder(x)
        output, _ = self.decoder(y, (h_n, h_n))
        return self.head(output)


model = Translator()
x, y = torch.randn(4, 7, 8), torch.randn(4, 6, 8)
logits = model(x, y)
"""

_AT_END_SYMBOL = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, END = 0, 1


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=PAD)
        self.gru = nn.GRU(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 3)

    def forward(self, ids):
        end = (ids == END).int().argmax(dim=1)
        packed = pack_padded_sequence(
            self.embedding(ids), end.cpu() + 1, batch_first=True, enforce_sorted=False
        )
        packed_output, h_n = self.gru(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        return self.head(output[torch.arange(len(ids)), end])


model = Classifier()
ids = torch.tensor([[5, 8, 3, 9, END], [7, 2, END, PAD, PAD], [4, 6, 9, END, PAD]])
logits = model(ids)
"""

_THROWN_AWAY = """\
import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(8, 16, batch_first=True)
        self.decoder = nn.GRU(8 + 16, 16, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x, y):
        memory, h_n = self.encoder(x)
        context = memory.mean(dim=1, keepdim=True).expand(-1, y.shape[1], -1)
        output, _ = self.decoder(torch.cat([y, context], dim=-1))
        return self.head(output)


model = Translator()
x, y = torch.randn(4, 7, 8), torch.randn(4, 6, 8)
logits = model(x, y)
"""

_BOTH_FINALS = "torch.cat([hidden_state[-2], hidden_state[-1]], dim=-1)"

OF_STATES = (
    Mistake(
        code="M01",
        title="The last step of output is taken for the last state of both directions",
        severity="error",
        wrong="output[:, -1] holds both directions at the last step. The forward half has read the "
        "whole input there. The reverse half "
        "begins at that step: it has taken one step of its own, and with one layer it has read "
        "one symbol.",
        trains="The forward half is right, so the model learns; it only learns no more than a "
        "forward layer of half the width would.",
        seen="The receptive field of the value ends where it should begin, and its reverse columns "
        "have the values of h[layer=last, reverse, step=last].",
        probes=("RF", "ID"),
        wrong_code=_LAST_STEP,
        right_code=mended(_LAST_STEP, {"output[:, -1]": "torch.cat([h_n[-2], h_n[-1]], dim=-1)"}),
        reading=Reading("lstm", "output[:, -1]", _BOTH_FINALS, bidirectional=True),
    ),
    Mistake(
        code="M02",
        title="The reverse half is taken at the last real step of each sample",
        severity="error",
        wrong="output at lengths - 1 is the last state of the forward direction, sample by sample. "
        "The reverse direction of each sample begins at that very step: its half of the vector has "
        "taken one step of its own, and with one layer it has read one symbol.",
        trains="Gathering at lengths - 1 is the right way for a forward layer, and the forward "
        "half is right here too.",
        seen="The receptive field is measured for each sample with its own length, and the reverse "
        "columns have the values of the first state that direction computed.",
        probes=("RF", "ID"),
        wrong_code=_AT_LENGTHS,
        right_code=mended(
            _AT_LENGTHS,
            {
                "import pack_padded_sequence, pad_packed_sequence": "import pack_padded_sequence",
                "packed_output, h_n": "_, h_n",
                "        output, _ = pad_packed_sequence(packed_output, batch_first=True)\n": "",
                "output[torch.arange(len(x)), lengths - 1]": "torch.cat([h_n[-2], h_n[-1]], "
                "dim=-1)",
            },
        ),
        reading=Reading(
            "gru",
            "output[arange(batch), lengths - 1]",
            _BOTH_FINALS,
            bidirectional=True,
            lengths=(5, 3),
        ),
    ),
    Mistake(
        code="M06",
        title="The first rows of hidden_state are taken for the forward direction",
        severity="error",
        wrong="The rows of hidden_state run layer 0 forward, layer 0 reverse, layer 1 forward, "
        "layer 1 reverse. The first num_layers rows of a bidirectional stack are not the forward "
        "direction of each layer: the decoder's upper layer starts from a state of the encoder's "
        "lowest.",
        trains="Each row is a state of the right sample and size, so every shape fits and the "
        "decoder makes what it can of it.",
        seen="The state that enters the decoder is matched, row by row, with the encoder's states "
        "by name.",
        probes=("ID",),
        wrong_code=_FIRST_ROWS,
        right_code=mended(_FIRST_ROWS, {"h_n[:2]": "h_n[::2].contiguous()"}),
        reading=Reading(
            "gru", "hidden_state[:num_layers]", "hidden_state[::2]", layers=2, bidirectional=True
        ),
    ),
    Mistake(
        code="M12",
        title="The last state is taken one step early or late",
        severity="error",
        wrong="The step of the last real symbol is lengths - 1. One less, and the last symbol is "
        "never read; one more, and the first padded step is read as if it were a symbol. It "
        "happens where lengths do or do not count an END symbol.",
        trains="A state one step away holds nearly the same. The loss is a little worse, and worst "
        "for short samples.",
        seen="The receptive field of the value ends at step length - 2, or reaches step length.",
        probes=("RF",),
        wrong_code=_OFF_BY_ONE,
        right_code=mended(_OFF_BY_ONE, {"lengths - 2": "lengths - 1"}),
        reading=Reading(
            "gru",
            "output[arange(batch), lengths - 2]",
            "output[arange(batch), lengths - 1]",
            lengths=(5, 3),
        ),
    ),
    Mistake(
        code="M16",
        title="The cell state of an LSTM is lost, or taken for the hidden state",
        severity="error",
        wrong="An LSTM carries two states: h, which it shows, and c, its memory. Starting a "
        "decoder from (h, h) throws the memory away; (c, h) swaps the two; and c given to the head "
        "in place of h is a value that was never squashed to lie between -1 and 1.",
        trains="h and c have the same shape, so all of it fits, and the decoder learns to work "
        "from h alone.",
        seen="What enters the decoder as c has the values of an h of the encoder, or the other way "
        "round. A value beyond ±1 is no h.",
        probes=("ID",),
        wrong_code=_MEMORY_LOST,
        right_code=mended(_MEMORY_LOST, {"(h_n, h_n)": "(h_n, c_n)"}),
        reading=Reading(
            "lstm",
            "torch.stack([hidden_state, hidden_state])",
            "torch.stack([hidden_state, cell_state])",
        ),
    ),
    Mistake(
        code="M29",
        title="The summary is taken from output at the END symbol",
        severity="error",
        wrong="The place of the END symbol is where the forward direction ends and the reverse "
        "direction begins. With one layer the reverse half of output there has read the "
        "END symbol alone, and that is the same in every sample.",
        trains="The forward half carries the model. The reverse half is nearly constant, and the "
        "head learns to pass over it.",
        seen="The reverse columns do not change when any symbol but the last one does.",
        probes=("RF",),
        wrong_code=_AT_END_SYMBOL,
        right_code=mended(
            _AT_END_SYMBOL,
            {
                "import pack_padded_sequence, pad_packed_sequence": "import pack_padded_sequence",
                "packed_output, h_n": "_, h_n",
                "        output, _ = pad_packed_sequence(packed_output, batch_first=True)\n": "",
                "output[torch.arange(len(ids)), end]": "torch.cat([h_n[-2], h_n[-1]], dim=-1)",
            },
        ),
        reading=Reading(
            "gru",
            "output[arange(batch), lengths - 1]",
            _BOTH_FINALS,
            bidirectional=True,
            lengths=(5, 3),
        ),
    ),
    Mistake(
        code="M30",
        title="The encoder's final states are computed and thrown away",
        severity="note",
        wrong="The decoder starts from zeros, or from a learned vector, while the encoder's "
        "hidden_state goes nowhere. Some models do that on purpose and leave everything to the "
        "attention; so this is a note.",
        trains="The decoder has another way to the input, through the memory, and learns to use "
        "that alone.",
        seen="The decoder is given no initial state, or one that no state of the encoder reaches: "
        "the gradient of the encoder's final states is zero.",
        probes=("HOOK", "RF"),
        wrong_code=_THROWN_AWAY,
        right_code=mended(
            _THROWN_AWAY,
            {"torch.cat([y, context], dim=-1))": "torch.cat([y, context], dim=-1), h_n)"},
        ),
    ),
)
