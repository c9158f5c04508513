"""Mistakes of the fifth kind: an argument, or the order in which weights are kept."""

from __future__ import annotations

from ._mistake import Mistake, mended

_WRONG_AXIS = """\
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.score = nn.Linear(16, 1)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        memory, _ = self.gru(x)
        weights = self.score(memory).softmax(dim=-1)  # (batch, step, 1)
        return self.head((weights * memory).sum(dim=1))


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

_WRONG_GATES = """\
import torch
from torch import nn

units, features = 16, 8
kernel = torch.randn(features, 3 * units)  # as Keras keeps them: gates z, r, h
recurrent_kernel = torch.randn(units, 3 * units)
bias = torch.randn(2, 3 * units)

layer = nn.GRU(features, units, batch_first=True)  # gates r, z, n


def converted(weight):
    return weight.transpose(0, -1)


with torch.no_grad():
    layer.weight_ih_l0.copy_(converted(kernel))
    layer.weight_hh_l0.copy_(converted(recurrent_kernel))
    layer.bias_ih_l0.copy_(converted(bias[0]))
    layer.bias_hh_l0.copy_(converted(bias[1]))

x = torch.randn(4, 7, features)
output, h_n = layer(x)
"""

_NO_DROPOUT = """\
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")  # as many a training script does


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True, dropout=0.5)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        _, h_n = self.gru(x)
        return self.head(h_n[-1])


model = Classifier()
x = torch.randn(4, 7, 8)
logits = model(x)
"""

OF_SETTINGS = (
    Mistake(
        code="M22",
        title="The attention's softmax runs over the wrong axis",
        severity="error",
        wrong="The weights of one query have to sum to 1 over the steps of the memory. A softmax "
        "over an axis of size 1 makes each weight 1, so the attention is a plain sum; a softmax "
        "over the batch makes samples compete with each other.",
        trains="A sum over the steps is a usable summary, and the gradient finds other ways.",
        seen="The weights do not sum to 1 over the memory: they are 1 each, or a change of one "
        "sample moves the weights of another.",
        probes=("HOOK", "PERM"),
        wrong_code=_WRONG_AXIS,
        right_code=mended(_WRONG_AXIS, {"softmax(dim=-1)": "softmax(dim=1)"}),
    ),
    Mistake(
        code="M25",
        title="Weights are converted with the wrong order of gates, bias or reset",
        severity="error",
        wrong="Frameworks keep the gates in different orders, split the bias in one or in two, and "
        "apply a GRU's reset gate before or after the recurrent product. Weights of another "
        "framework have the right shapes in any order.",
        trains="The numbers are close to those of the model they come from, for short inputs and "
        "small weights, and fine-tuning mends the rest slowly.",
        seen="The weights are run under each known convention beside samples of input and output: "
        "one of them reproduces the samples, and it is named.",
        probes=("parity",),
        wrong_code=_WRONG_GATES,
        right_code=mended(
            _WRONG_GATES,
            {
                "    return weight.transpose(0, -1)\n": (
                    "    z, r, h = weight.chunk(3, dim=-1)\n"
                    "    return torch.cat([r, z, h], dim=-1).transpose(0, -1)\n"
                )
            },
        ),
    ),
    Mistake(
        code="M27",
        title="dropout is given to a layer that stands alone, where it does nothing",
        severity="warning",
        wrong="The dropout of a recurrent layer acts between the layers of its stack. With one "
        "layer there is no between, and nothing is dropped. PyTorch warns when the layer is made; "
        "the warning is easily lost in a log.",
        trains="It trains without the regularisation that its settings promise.",
        seen="The layer has dropout above 0 and num_layers of 1.",
        probes=("HOOK",),
        wrong_code=_NO_DROPOUT,
        right_code=mended(
            _NO_DROPOUT,
            {
                "import warnings\n\n": "",
                '\nwarnings.simplefilter("ignore")  # as many a training script does\n': "",
                "batch_first=True, dropout=0.5)": "batch_first=True)\n"
                "        self.dropout = nn.Dropout(0.5)",
                "self.head(h_n[-1])": "self.head(self.dropout(h_n[-1]))",
            },
        ),
    ),
)
