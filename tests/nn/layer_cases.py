"""Every kind of layer and call that torch.nn has, to be compared with ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from unrolled import nn as ours

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn_tanh": ("RNN", {}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
    "lstm_proj": ("LSTM", {"proj_size": 2}),
}
FORMS = ("padded", "unbatched", "packed", "lengths")
INPUT, HIDDEN, STEPS, BATCH = 3, 4, 5, 3
LENGTHS = (3, 5, 2)


@dataclass(frozen=True)
class Case:
    kind: str
    layers: int
    bidirectional: bool
    bias: bool
    batch_first: bool
    state: bool
    form: str

    def __str__(self) -> str:
        words = [self.kind, f"{self.layers}l", self.form]
        words += [n for n in ("bidirectional", "bias", "batch_first", "state") if getattr(self, n)]
        return "-".join(words)


def cases() -> Iterator[Case]:
    yes_no = (False, True)
    for kind, layers, bi, bias, first, state, form in product(
        KINDS, (1, 2, 3), yes_no, yes_no, yes_no, yes_no, FORMS
    ):
        yield Case(kind, layers, bi, bias, first, state, form)


def pair_of_layers(case: Case, dtype: torch.dtype) -> tuple[torch.nn.Module, torch.nn.Module]:
    """torch's layer and ours, with the same seed and so the same weights."""
    name, extra = KINDS[case.kind]
    settings = {
        "bias": case.bias,
        "batch_first": case.batch_first,
        "bidirectional": case.bidirectional,
        "dtype": dtype,
        **extra,
    }
    made = []
    for library in (torch.nn, ours):
        torch.manual_seed(7)
        made.append(getattr(library, name)(INPUT, HIDDEN, case.layers, **settings))
    return made[0], made[1]


def run(
    layer: torch.nn.Module, case: Case, dtype: torch.dtype, *, torch_side: bool
) -> list[Tensor]:
    """Outputs, states and all gradients of one call, flat tensors in a fixed order."""
    layer.zero_grad()
    chance = torch.Generator().manual_seed(1)
    batched = case.form != "unbatched"
    shape = (STEPS, BATCH, INPUT) if batched else (STEPS, INPUT)
    x = torch.randn(shape, generator=chance, dtype=dtype)
    if batched and case.batch_first:
        x = x.transpose(0, 1).contiguous()
    x.requires_grad_()
    leaves = [x]
    hx: Any = None
    if case.state:
        sizes = [2 if case.kind == "lstm_proj" else HIDDEN]
        if case.kind.startswith("lstm"):
            sizes.append(HIDDEN)
        rows = case.layers * (2 if case.bidirectional else 1)
        states = [
            torch.randn((rows, BATCH, n) if batched else (rows, n), generator=chance, dtype=dtype)
            for n in sizes
        ]
        leaves += [state.requires_grad_() for state in states]
        hx = tuple(states) if len(states) == 2 else states[0]
    found = _call(layer, case, x, hx, torch_side=torch_side)
    total = sum((value * _weights(value, i)).sum() for i, value in enumerate(found))
    parameters = list(layer.parameters())
    gradients = torch.autograd.grad(total, [*leaves, *parameters])
    return [*found, *gradients]


def _call(
    layer: torch.nn.Module, case: Case, x: Tensor, hx: Any, *, torch_side: bool
) -> list[Tensor]:
    if case.form in ("packed", "lengths") and (torch_side or case.form == "packed"):
        packed = pack_padded_sequence(
            x, torch.tensor(LENGTHS), batch_first=case.batch_first, enforce_sorted=False
        )
        output, states = layer(packed, hx)
        assert isinstance(output, PackedSequence)
        output, _ = pad_packed_sequence(output, batch_first=case.batch_first, total_length=STEPS)
    elif case.form == "lengths":
        output, states = layer(x, hx, lengths=list(LENGTHS))
    else:
        output, states = layer(x, hx)
    return [output, *(states if isinstance(states, tuple) else [states])]


def _weights(value: Tensor, seed: int) -> Tensor:
    chance = torch.Generator().manual_seed(100 + seed)
    return torch.randn(value.shape, generator=chance, dtype=value.dtype)
