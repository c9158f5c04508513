"""Mistakes of the second kind: an axis is taken for another, and samples or steps are mixed."""

from __future__ import annotations

from ._mistake import Mistake, Reading, mended

_VIEWED_FINALS = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        _, h_n = self.gru(x)
        return self.head(h_n.view(len(x), -1))


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_VIEWED_LATENT = """\
import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(6, 32)
        self.gru = nn.GRU(8, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, latent, y):
        h_0 = self.start(latent).view(2, len(y), 16)
        output, _ = self.gru(y, h_0)
        return self.head(output)


model = Decoder()
latent, y = torch.randn(4, 6), torch.randn(4, 7, 8)
logits = model(latent, y)
"""

_VIEWED_BRIDGE = """\
import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.GRU(8, 16, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(8, 32, batch_first=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x, y):
        _, h_n = self.encoder(x)
        output, _ = self.decoder(y, h_n.view(1, len(x), -1))
        return self.head(output)


model = Translator()
x, y = torch.randn(4, 7, 8), torch.randn(4, 6, 8)
logits = model(x, y)
"""

_TIME_FIRST = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):  # (batch, step, feature)
        output, _ = self.gru(x)
        return self.head(output[:, -1])


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_VIEWED_INPUT = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, spectrogram):  # (batch, feature, step)
        batch, features, steps = spectrogram.shape
        _, h_n = self.gru(spectrogram.view(batch, steps, features))
        return self.head(h_n[-1])


model = Classifier()
x = torch.randn(4, 8, 7)
logits = model(x)
"""

_ONE_STEP = """\
import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(7, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, readings):  # (batch, step)
        _, (h_n, _) = self.lstm(readings.unsqueeze(1))
        return self.head(h_n[-1])


model = Forecaster()
x = torch.randn(4, 7)
forecast = model(x)
"""

_NEVER_UNSORTED = """\
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x, lengths):
        lengths, order = lengths.sort(descending=True)
        _, h_n = self.gru(pack_padded_sequence(x[order], lengths, batch_first=True))
        return self.head(h_n[-1])


model = Classifier()
x, lengths = torch.randn(4, 7, 8), torch.tensor([3, 7, 2, 5])
logits = model(x, lengths)
"""

_UNPACKED_TIME_FIRST = """\
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
        output, _ = pad_packed_sequence(packed_output)
        return self.head(output).view(len(x), -1, 3)


model = Tagger()
x, lengths = torch.randn(4, 7, 8), torch.tensor([7, 5, 4, 2])
logits = model(x, lengths)
"""

_START_BATCH_FIRST = """\
import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Linear(6, 32)
        self.gru = nn.GRU(8, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, latent, y):
        h_0 = self.start(latent).view(-1, 2, 16)  # (batch, layer, hidden)
        output, _ = self.gru(y, h_0)
        return self.head(output)


model = Decoder()
latent, y = torch.randn(2, 6), torch.randn(2, 7, 8)
logits = model(latent, y)
"""

OF_AXES = (
    Mistake(
        code="M03",
        title="hidden_state is flattened with view, which mixes samples",
        severity="error",
        wrong="hidden_state is (layers · directions, batch, hidden), with batch_first too. view "
        "keeps the order of the elements and exchanges no axes: a row of h_n.view(batch, -1) holds "
        "states of several samples side by side.",
        trains="The shape is the expected one. While a batch always holds the same number of "
        "samples the model even learns a part of the task, and fails on a batch of another size or "
        "order.",
        seen="The answers for a permuted batch are not the permuted answers, and a change of one "
        "sample moves the row of another.",
        probes=("PERM", "RF"),
        wrong_code=_VIEWED_FINALS,
        right_code=mended(
            _VIEWED_FINALS, {"h_n.view(len(x), -1)": "h_n.transpose(0, 1).reshape(len(x), -1)"}
        ),
        reading=Reading(
            "gru",
            "hidden_state.view(batch, -1)",
            "hidden_state.transpose(0, 1).reshape(batch, -1)",
            layers=2,
        ),
    ),
    Mistake(
        code="M04",
        title="A latent vector is viewed into the initial state, which mixes samples",
        severity="error",
        wrong="A projection gives (batch, layers · hidden), and view(layers, batch, hidden) cuts "
        "it in the order of its elements. The layers of one sample start from pieces of several "
        "latent vectors.",
        trains="The shape is the one that the layer wants, and with one layer the two are the same "
        "thing. A variational decoder then looks as if it ignored its latent vector.",
        seen="A change of one sample's latent vector moves the initial state of another sample.",
        probes=("RF", "PERM"),
        wrong_code=_VIEWED_LATENT,
        right_code=mended(
            _VIEWED_LATENT,
            {".view(2, len(y), 16)": ".view(len(y), 2, 16).transpose(0, 1).contiguous()"},
        ),
    ),
    Mistake(
        code="M05",
        title="The bridge flattens layers or directions with view",
        severity="error",
        wrong="The directions of hidden_state are rows of its first axis. To lay the two beside "
        "each other, they have to be concatenated on the last axis; view(1, batch, -1) puts "
        "neighbouring samples beside each other instead, so the decoder of one sample starts from "
        "two others.",
        trains="The attention still reads the right memory, and the decoder learns to forget its "
        "initial state.",
        seen="The answers for a permuted batch are not the permuted answers, and the state that "
        "enters the decoder has the values of other samples.",
        probes=("PERM", "ID"),
        wrong_code=_VIEWED_BRIDGE,
        right_code=mended(
            _VIEWED_BRIDGE,
            {"h_n.view(1, len(x), -1)": "torch.cat([h_n[0], h_n[1]], dim=-1).unsqueeze(0)"},
        ),
        reading=Reading(
            "gru",
            "hidden_state.view(1, batch, -1)",
            "torch.cat([hidden_state[0], hidden_state[1]], dim=-1).unsqueeze(0)",
            bidirectional=True,
        ),
    ),
    Mistake(
        code="M07",
        title="batch_first is forgotten, so the recurrence runs over the batch",
        severity="error",
        wrong="PyTorch's recurrent layers take (step, batch, feature) unless they are made with "
        "batch_first=True. Given (batch, step, feature), the recurrence runs from sample to "
        "sample, and each step is a sequence of its own. To the layer, and in the picture of what "
        "it gives, a step is one of your samples, and a sample is one of your steps.",
        trains="No shape is wrong. The last step of each sample is still read, through the state "
        "that the samples before it left, and simple tasks are learned that way.",
        seen="A change of one sample moves the answers of the samples after it, and no earlier "
        "step of a sample reaches its answer.",
        probes=("RF", "PERM"),
        wrong_code=_TIME_FIRST,
        right_code=mended(_TIME_FIRST, {"nn.GRU(8, 16)": "nn.GRU(8, 16, batch_first=True)"}),
        reading=Reading("gru", "output[:, -1]", batch_first=False),
    ),
    Mistake(
        code="M08",
        title="The input is turned with view, which scrambles time and features",
        severity="error",
        wrong="view and reshape keep the order of the elements. Turning (batch, feature, step) "
        "into (batch, step, feature) takes a transpose; after a view each step holds a run of one "
        "feature over time.",
        trains="All of the input is still there, in an order that is the same each time.",
        seen="A change of the input at a step first reaches another step of the recurrent layer.",
        probes=("RF",),
        wrong_code=_VIEWED_INPUT,
        right_code=mended(
            _VIEWED_INPUT,
            {
                "        batch, features, steps = spectrogram.shape\n": "",
                "spectrogram.view(batch, steps, features)": "spectrogram.transpose(1, 2)",
            },
        ),
    ),
    Mistake(
        code="M09",
        title="The layer is given sequences of one step",
        severity="warning",
        wrong="The input has one step, so the recurrence never runs: the recurrent weights have no "
        "effect, and the layer is an expensive linear layer with gates. It happens when a series "
        "of numbers is given as the features of one step.",
        trains="A gated linear layer over the whole series is a fair model for series of one fixed "
        "length.",
        seen="What goes into the recurrent layer has one step in each call, and no state is "
        "carried in from an earlier one.",
        probes=("HOOK",),
        wrong_code=_ONE_STEP,
        right_code=mended(
            _ONE_STEP,
            {"nn.LSTM(7, 16": "nn.LSTM(1, 16", "readings.unsqueeze(1)": "readings.unsqueeze(-1)"},
        ),
    ),
    Mistake(
        code="M13",
        title="A batch is sorted for packing and never put back in order",
        severity="error",
        wrong="The samples were sorted by length before packing, and the answers come out in the "
        "sorted order, beside labels in the order they were given.",
        trains="In training the labels are often sorted too, or the loader sorts each batch, so "
        "nothing is wrong until the model is used on a batch in another order.",
        seen="The answers for a permuted batch are not the permuted answers: a change of one "
        "sample moves the row of another, and no other row.",
        probes=("PERM",),
        wrong_code=_NEVER_UNSORTED,
        right_code=mended(_NEVER_UNSORTED, {"h_n[-1])": "h_n[-1][order.argsort()])"}),
    ),
    Mistake(
        code="M14",
        title="The output is unpacked without batch_first",
        severity="error",
        wrong="pad_packed_sequence gives (step, batch, feature) unless it is told "
        "batch_first=True, whatever the layer was told. A view to (batch, step, …) afterwards "
        "makes the shape right and the contents wrong: steps and samples are mixed.",
        trains="The shape of the logits fits the labels, and the loss goes down as far as the "
        "frequencies of the labels take it.",
        seen="What the recurrent layer gives for a sample does not arrive in the row of that "
        "sample.",
        probes=("HOOK", "RF"),
        wrong_code=_UNPACKED_TIME_FIRST,
        right_code=mended(
            _UNPACKED_TIME_FIRST,
            {
                "pad_packed_sequence(packed_output)": (
                    "pad_packed_sequence(packed_output, batch_first=True)"
                ),
                ".view(len(x), -1, 3)": "",
            },
        ),
        reading=Reading(
            "gru",
            "output.view(batch, steps, -1)",
            "output.transpose(0, 1)",
            lengths=(5, 3),
            batch_first=False,
        ),
    ),
    Mistake(
        code="M26",
        title="The initial state has the batch in front",
        severity="error",
        wrong="h_0 is (layers · directions, batch, hidden), with batch_first too. With the batch "
        "in front it is refused, unless the batch happens to be as large as layers · directions: "
        "then each layer starts from the state of a sample. Data parallelism that splits tensors "
        "on their first axis splits the layers for the same reason.",
        trains="It runs in that one case, such as a batch of two for two layers, and in no other; "
        "that case is often the one that is tried first.",
        seen="In h_0, as it enters the layer, a change of one sample's input moves another sample, "
        "or the axes have the sizes of another order.",
        probes=("HOOK", "RF"),
        wrong_code=_START_BATCH_FIRST,
        right_code=mended(
            _START_BATCH_FIRST,
            {
                ".view(-1, 2, 16)  # (batch, layer, hidden)": (
                    ".view(-1, 2, 16).transpose(0, 1).contiguous()"
                )
            },
        ),
    ),
)
