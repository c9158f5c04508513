"""Mistakes of the fourth kind: a state stands at the wrong time, within a run or between runs."""

from __future__ import annotations

from ._mistake import Mistake, mended

_NOT_FED_BACK = """\
import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(8, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, state, y):
        logits = []
        for step in range(y.shape[1]):
            new_state = self.cell(y[:, step], state)
            logits.append(self.head(new_state))
        return torch.stack(logits, dim=1)


model = Decoder()
state, y = torch.randn(4, 16), torch.randn(4, 7, 8)
logits = model(state, y)
"""

_SEES_THE_FUTURE = """\
import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.gru = nn.GRU(8, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 20)

    def forward(self, ids):  # the logits at a step are for the symbol after it
        output, _ = self.gru(self.embedding(ids))
        return self.head(output)


model = LanguageModel()
ids = torch.randint(20, (4, 7))
logits = model(ids)
"""

_RANDOM_START = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        h_0 = torch.randn(1, len(x), 16)
        _, h_n = self.gru(x, h_0)
        return self.head(h_n[-1])


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_KEPT_ACROSS_BATCHES = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)
        self.state = None

    def forward(self, x):
        _, h_n = self.gru(x, self.state)
        self.state = h_n.detach()
        return self.head(h_n[-1])


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_NOT_DETACHED = """\
import torch
from torch import nn


class StreamTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 3)
        self.state = None

    def reset(self):
        self.state = None

    def forward(self, chunk):  # the next piece of the same streams
        output, h_n = self.gru(chunk, self.state)
        self.state = h_n
        return self.head(output)


model = StreamTagger()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_NOT_TURNED_BACK = """\
import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.rightward = nn.GRU(8, 16, batch_first=True)
        self.leftward = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        right, _ = self.rightward(x)
        left, _ = self.leftward(x.flip(1))
        return self.head(torch.cat([right, left], dim=-1))


model = Tagger()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

OF_TIME = (
    Mistake(
        code="M17",
        title="The decoder's state is not fed back between steps",
        severity="error",
        wrong="Each step starts from the same state again. The decoder sees its last symbol and "
        "the beginning, and nothing in between: it has no memory of what it has written.",
        trains="With teacher forcing each step is given the right last symbol, and predicting from "
        "one symbol of context works to a degree.",
        seen="The receptive field of step t holds step t and lacks those before it.",
        probes=("RF",),
        wrong_code=_NOT_FED_BACK,
        right_code=mended(
            _NOT_FED_BACK,
            {
                "new_state = self.cell": "state = self.cell",
                "self.head(new_state)": "self.head(state)",
            },
        ),
    ),
    Mistake(
        code="M18",
        title="A predictor of the next symbol sees the future",
        severity="error",
        wrong="The reverse direction reads from the end, so the state at a step has read the very "
        "symbol that it is to predict. A model that runs as its input arrives, or writes one "
        "symbol after the other, has no future to read when it is used.",
        trains="It trains far too well: the loss falls to nearly nothing, since the answer is in "
        "the input.",
        seen="The receptive field of step t holds steps after t. That they are to be predicted is "
        "known from target, from labels among the arguments, or from a decoder that starts from an "
        "encoder; otherwise it is a note, since a model that fills gaps may see them.",
        probes=("RF",),
        wrong_code=_SEES_THE_FUTURE,
        right_code=mended(
            _SEES_THE_FUTURE,
            {
                "nn.GRU(8, 16, batch_first=True, bidirectional=True)": (
                    "nn.GRU(8, 16, batch_first=True)"
                ),
                "nn.Linear(32, 20)": "nn.Linear(16, 20)",
            },
        ),
    ),
    Mistake(
        code="M19",
        title="The initial state is random at every call, in evaluation too",
        severity="error",
        wrong="h_0 is drawn anew at each forward run, so the same input gives another answer each "
        "time, also when the model is used.",
        trains="It acts as noise, and the network learns to forget its beginning.",
        seen="Two calls with the same input, in evaluation mode, give two answers.",
        probes=("HIST",),
        wrong_code=_RANDOM_START,
        right_code=mended(
            _RANDOM_START, {"torch.randn(1, len(x), 16)": "x.new_zeros(1, len(x), 16)"}
        ),
    ),
    Mistake(
        code="M20",
        title="The state is kept across batches that have nothing to do with each other",
        severity="error",
        wrong="The final state of one batch starts the next. Each sample begins with what another "
        "sample, at the same place of the batch before, has left, and the answers depend on the "
        "order in which batches come.",
        trains="Shuffled batches make it a kind of noise. It fails where the batch changes its "
        "size, or where two people use one model.",
        seen="A second call with the same input is not the first one, nor what a fresh copy gives.",
        probes=("HIST",),
        wrong_code=_KEPT_ACROSS_BATCHES,
        right_code=mended(
            _KEPT_ACROSS_BATCHES,
            {
                "        self.state = None\n": "",
                "self.gru(x, self.state)": "self.gru(x)",
                "        self.state = h_n.detach()\n": "",
            },
        ),
    ),
    Mistake(
        code="M21",
        title="A state that is carried on is not detached",
        severity="error",
        wrong="Carrying the state from chunk to chunk of one stream is right. Without detach it "
        "carries the history of all earlier chunks too: the second backward run fails, or, with "
        "retain_graph=True, each step costs more time and memory than the one before.",
        trains="With retain_graph=True it trains, slower at every step, until memory is used up.",
        seen="The initial state that enters the layer has a gradient history from an earlier call.",
        probes=("HOOK",),
        wrong_code=_NOT_DETACHED,
        right_code=mended(_NOT_DETACHED, {"self.state = h_n\n": "self.state = h_n.detach()\n"}),
    ),
    Mistake(
        code="M24",
        title="A reversed sequence is laid beside a forward one without being turned back",
        severity="error",
        wrong="A layer that reads the flipped input gives its first state for the last step. "
        "Without a second flip, what stands at step t belongs to step T - 1 - t, and the two "
        "halves of the vector describe two different places.",
        trains="In the middle the two are near each other, and each half alone is a fair feature.",
        seen="At step t the leftward half has read steps T - 1 - t to T - 1, where it should have "
        "read t to T - 1.",
        probes=("RF",),
        wrong_code=_NOT_TURNED_BACK,
        right_code=mended(_NOT_TURNED_BACK, {"[right, left]": "[right, left.flip(1)]"}),
    ),
)
