"""Mistakes of the third kind: padding is read as if it were input."""

from __future__ import annotations

from ._mistake import Mistake, Reading, mended

_PADDED_END = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, ids, lengths):
        output, _ = self.gru(self.embedding(ids))
        return self.head(output[:, -1])


model = Classifier()
lengths = torch.tensor([7, 5, 4, 2])
ids = torch.randint(1, 20, (4, 7)) * (torch.arange(7) < lengths[:, None])
logits = model(ids, lengths)
"""

_PADDED_FRONT = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, samples):  # a list of (step, feature)
        padded = pad_sequence(samples, batch_first=True, padding_side="left")
        _, h_n = self.gru(padded)
        return self.head(h_n[-1])


model = Classifier()
samples = [torch.randn(steps, 8) for steps in (7, 5, 2)]
logits = model(samples)
"""

_CUT_OUTPUT = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed_output, _ = self.gru(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        return self.head(output)


model = Tagger()
x, lengths = torch.randn(4, 7, 8), torch.tensor([6, 5, 4, 2])  # padded to 7 steps
logits = model(x, lengths)
"""

_UNMASKED_ATTENTION = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.score = nn.Linear(16, 1)
        self.head = nn.Linear(16, 3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        memory, _ = pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        scores = self.score(memory).squeeze(-1)
        weights = scores.softmax(dim=1)
        return self.head((weights.unsqueeze(-1) * memory).sum(dim=1))


model = Classifier()
x, lengths = torch.randn(4, 7, 8), torch.tensor([7, 5, 4, 2])
logits = model(x, lengths)
"""

_PADDED_MEAN = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed_output, _ = self.gru(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        return self.head(output.mean(dim=1))


model = Classifier()
x, lengths = torch.randn(4, 7, 8), torch.tensor([7, 5, 4, 2])
logits = model(x, lengths)
"""

OF_PADDING = (
    Mistake(
        code="M10",
        title="Padding leaks into the final state or the pooled result",
        severity="error",
        wrong="A shorter sample is padded to the longest of its batch, and the recurrence runs on "
        "through the padding. What is taken at the end has read padded steps, as many as the "
        "longest sample of the batch asks for. An embedding with padding_idx does not help: a step "
        "with zero input still changes the state.",
        trains="The model learns to hold its state through zeros, about as well as the lengths of "
        "its training batches ask for.",
        seen="More padding, or other values in it, moves the answers; so does running a sample "
        "alone.",
        probes=("PAD",),
        wrong_code=_PADDED_END,
        right_code=mended(
            _PADDED_END,
            {"output[:, -1]": "output[torch.arange(len(ids)), lengths - 1]"},
        ),
        reading=Reading("gru", "output[:, -1]", "hidden_state[-1]", lengths=(5, 3)),
    ),
    Mistake(
        code="M11",
        title="Padding stands on the side from which the recurrence comes",
        severity="error",
        wrong="With padding in front, the last step is real in every sample, and the state has "
        "already been driven through the padding before the first symbol: biases alone move it. "
        "How far depends on the longest sample of the batch.",
        trains="Gates learn to forget what the padding did, for the amounts of padding that "
        "training had.",
        seen="Padding is added on each side in turn: the answers may move on neither.",
        probes=("PAD",),
        wrong_code=_PADDED_FRONT,
        right_code=mended(
            _PADDED_FRONT,
            {
                '        padded = pad_sequence(samples, batch_first=True, padding_side="left")\n': (
                    "        padded = pad_sequence(samples, batch_first=True)\n"
                    "        lengths = torch.tensor([len(sample) for sample in samples])\n"
                    "        packed = pack_padded_sequence("
                    "padded, lengths, batch_first=True, enforce_sorted=False)\n"
                ),
                "self.gru(padded)": "self.gru(packed)",
            },
        ),
    ),
    Mistake(
        code="M15",
        title="The output is cut to the longest sample while masks and labels are not",
        severity="warning",
        wrong="pad_packed_sequence gives as many steps as the longest length in the batch, which "
        "may be fewer than the padded input had. Masks and labels that still have the width of the "
        "input no longer stand beside their steps once both are flattened.",
        trains="Most batches hold a sample of full width, and then nothing is cut. It shows in the "
        "last batch, or when the batch is split over devices.",
        seen="The layer was given more steps than the output that is unpacked after it has.",
        probes=("HOOK",),
        wrong_code=_CUT_OUTPUT,
        right_code=mended(
            _CUT_OUTPUT,
            {
                "        output, _ = pad_packed_sequence(packed_output, batch_first=True)\n": (
                    "        output, _ = pad_packed_sequence("
                    "packed_output, batch_first=True, total_length=x.shape[1])\n"
                )
            },
        ),
    ),
    Mistake(
        code="M23",
        title="Attention reads padded steps",
        severity="error",
        wrong="The scores of padded steps go into the softmax with the others. Even where the "
        "memory is zero there, a score of zero takes weight from the real steps, and the more of "
        "it the longer the padding is.",
        trains="The model learns to give real steps high scores, which hides most of the leak.",
        seen="Answers move when padding is added, or when the values in it change.",
        probes=("PAD",),
        wrong_code=_UNMASKED_ATTENTION,
        right_code=mended(
            _UNMASKED_ATTENTION,
            {
                "        weights = scores.softmax(dim=1)\n": (
                    "        mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)\n"
                    "        weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=1)\n"
                )
            },
        ),
    ),
    Mistake(
        code="M28",
        title="The mean runs over padded steps",
        severity="error",
        wrong="output.mean(dim=1) divides by the padded number of steps. The padded steps add "
        "zeros, or whatever the layer computed there, and a short sample in a batch with a long "
        "one gets a smaller vector than it gets alone.",
        trains="The direction of the vector is right and only its size depends on the batch, which "
        "a classifier bears well.",
        seen="Answers move when padding is added, in proportion to the number of steps.",
        probes=("PAD",),
        wrong_code=_PADDED_MEAN,
        right_code=mended(
            _PADDED_MEAN,
            {"output.mean(dim=1)": "output.sum(dim=1) / lengths.unsqueeze(1)"},
        ),
        reading=Reading("gru", "output.mean(1)", lengths=(5, 3)),
    ),
)
