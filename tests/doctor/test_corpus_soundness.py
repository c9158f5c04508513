"""The corpus seen from outside, without the doctor: samples must not hear of each other.

A correct model gives a sample the same in any order of the batch, and alone without its padding.
The wrong models whose mistake is just that must fail here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from models.case import seeded
from test_doctor_corpus import tensors
from torch import Tensor, nn

from models import CORRECT, PAIRS, Case

# A packed batch and a dict hold their samples elsewhere than in the first dimension of a tensor, a
# PackedSequence included; h_0 has its layers there.
HELD_OTHERWISE = {
    "packed-input-classifier",
    "dict-input-classifier",
    "carried-state-language-model",
    # These want the batch sorted, as their loaders give it.
    "m03-intent-and-slots",
    "m03-intent-and-slots-right",
    "m14-batch-mean-classifier-right",
    # Other samples of the batch are part of its result.
    "negatives-of-the-batch",
}
# Whole numbers of theirs, or a 0 at the end, that say nothing of lengths.
NO_LENGTHS = {"spoken-by-somebody", "at-aspect", "symbol-zero", "between-two-words"}
# What leaks is the padding of its second sequence, and it is the first that is cut here.
LEAKS_ELSEWHERE = {"m23-answer-in-text"}
TIME_MAJOR = {"m02-speaker-embedder-right"}
SOUND = [case for case in [p.right for p in PAIRS] + CORRECT if case.name not in HELD_OTHERWISE]
ORDER_MATTERS = {"M03", "M04", "M05", "M07", "M13"}
ALIKE_IN_ANY_BATCH = {"M10", "M11", "M23", "M28"}


MOVED: dict[str, tuple[float, int]] = {}


def batch_dim(case: Case) -> int:
    return 1 if case.name in TIME_MAJOR else int(case.hints().get("batch_dim", 0))


def given(case: Case, change: Callable[[Tensor, int], Tensor]) -> tuple[list[Any], dict[str, Any]]:
    """Inputs, each tensor changed along its batch dimension; lengths and latents have one only."""

    def of(value: Tensor) -> Tensor:
        return change(value, batch_dim(case) if value.dim() > 1 else 0)

    return [of(a) for a in case.args()], {k: of(v) for k, v in case.keywords().items()}


def run(model: nn.Module, args: list[Any], keywords: dict[str, Any]) -> list[Tensor]:
    with torch.no_grad():
        found = tensors(seeded(lambda: model(*args, **keywords)))
    return [tensor for tensor in found if tensor.is_floating_point()]


def samples(tensor: Tensor, batch: int) -> list[Tensor] | None:
    """By sample, where one dimension only has the batch's size."""
    dims = [dim for dim, size in enumerate(tensor.shape) if size == batch]
    return list(tensor.unbind(dims[0])) if len(dims) == 1 else None


def size_of_batch(case: Case) -> int:
    first = [*case.args(), *case.keywords().values()][0]
    return int(first.shape[batch_dim(case)])


def moved(case: Case) -> tuple[float, int]:
    """How far results move when the batch is turned round, and how many results could be seen."""
    if case.name not in MOVED:
        MOVED[case.name] = _moved(case)
    return MOVED[case.name]


def _moved(case: Case) -> tuple[float, int]:
    batch = size_of_batch(case)
    order = torch.arange(batch).flip(0)
    before = run(case.build().eval(), *given(case, lambda x, _: x))
    after = run(case.build().eval(), *given(case, lambda x, dim: x.index_select(dim, order)))
    furthest, seen = 0.0, 0
    for one, other in zip(before, after, strict=True):
        rows, turned = samples(one, batch), samples(other, batch)
        if rows is not None and turned is not None:
            seen += 1
            for place, row in enumerate(rows):
                furthest = max(furthest, float((row - turned[int(order[place])]).abs().max()))
    return furthest, seen


@pytest.mark.parametrize("case", SOUND, ids=lambda case: case.name)
def test_order_does_not_matter_to_a_correct_model(case: Case) -> None:
    furthest, _ = moved(case)
    assert furthest < (5e-2 if "bfloat" in case.name or "half" in case.name else 1e-5)


def test_most_correct_models_could_be_seen() -> None:
    seen = [moved(case)[1] for case in SOUND]
    assert sum(count > 0 for count in seen) > 0.85 * len(seen)


@pytest.mark.parametrize(
    "case",
    [
        p.wrong
        for p in PAIRS
        if p.wrong.code in ORDER_MATTERS and p.wrong.name not in HELD_OTHERWISE
    ],
    ids=lambda case: case.name,
)
def test_order_matters_to_a_model_that_mixes_samples(case: Case) -> None:
    furthest, seen = moved(case)
    assert seen
    assert furthest > 1e-4


def lengths_of(case: Case) -> list[int] | None:
    """Those given, or counted from the padding."""
    if case.name in NO_LENGTHS:
        return None
    values = [*case.args(), *case.keywords().values()]
    for value in values:
        if isinstance(value, Tensor) and value.dim() == 1 and not value.is_floating_point():
            return [int(n) for n in value]
    first = values[0]
    if isinstance(first, Tensor) and first.dim() == 2 and not first.is_floating_point():
        counted = (first != 0).sum(1)
        if bool((counted < first.size(1)).any()):
            return [int(n) for n in counted]
    return None


def alone(case: Case) -> float:
    """How far results move when a sample comes alone, its padding cut off."""
    lengths, batch, dim = lengths_of(case), size_of_batch(case), batch_dim(case)
    assert lengths is not None
    steps = [*case.args(), *case.keywords().values()][0].shape[1 - dim]
    together = run(case.build().eval(), *given(case, lambda x, _: x))
    furthest = 0.0
    for place, length in enumerate(lengths):

        def one(x: Tensor, batch_dim: int, place: int = place, length: int = length) -> Tensor:
            x = x.narrow(batch_dim, place, 1)
            if x.dim() > 1 and x.size(1 - batch_dim) == steps:
                start = steps - length if case.code == "M11" or "m11" in case.name else 0
                x = x.narrow(1 - batch_dim, start, length)
            return x

        single = run(case.build().eval(), *given(case, one))
        for many, found in zip(together, single, strict=True):
            rows = samples(many, batch)
            if rows is None:
                continue
            row, mine = rows[place], found.squeeze(samples_dim(many, batch))
            for axis, size in enumerate(mine.shape):
                row = row.narrow(axis, 0, size) if row.size(axis) != size else row
            furthest = max(furthest, float((row - mine).abs().max()))
    return furthest


def samples_dim(tensor: Tensor, batch: int) -> int:
    return next(dim for dim, size in enumerate(tensor.shape) if size == batch)


RAGGED_SOUND = [c for c in SOUND if lengths_of(c)]
RAGGED_WRONG = [p.wrong for p in PAIRS if p.wrong.code in ALIKE_IN_ANY_BATCH]


@pytest.mark.parametrize("case", RAGGED_SOUND, ids=lambda case: case.name)
def test_a_correct_model_gives_a_sample_the_same_alone(case: Case) -> None:
    assert alone(case) < 1e-5


@pytest.mark.parametrize(
    "case",
    [c for c in RAGGED_WRONG if lengths_of(c) and c.name not in LEAKS_ELSEWHERE],
    ids=lambda case: case.name,
)
def test_padding_is_heard_in_a_model_that_reads_it(case: Case) -> None:
    assert alone(case) > 1e-4
