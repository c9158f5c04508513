"""The corpus is what it claims to be; the doctor is not asked here."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import torch
from models.case import seeded
from torch import Tensor

from models import CORRECT, PAIRS, Case, Pair

CASES = [case for pair in PAIRS for case in (pair.wrong, pair.right)] + CORRECT
CODES = [f"M{number:02}" for number in range(1, 31)]


def tensors(value: Any) -> list[Tensor]:
    """The tensors in what a model returns."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for part in value.values() for tensor in tensors(part)]
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in tensors(part)]
    if is_dataclass(value):
        return [part for f in fields(value) for part in tensors(getattr(value, f.name))]
    return []


def run(case: Case) -> list[Tensor]:
    model = case.build().eval()
    with torch.no_grad():
        return tensors(seeded(lambda: model(*case.args(), **case.keywords())))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_runs_in_both_modes(case: Case) -> None:
    model = case.build()
    found = tensors(seeded(lambda: model(*case.args(), **case.keywords())))
    for tensor in [*found, *run(case)]:
        if tensor.is_floating_point():
            assert torch.isfinite(tensor).all()
    floating = [tensor for tensor in found if tensor.is_floating_point()]
    assert floating
    floating[0].float().sum().backward()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.wrong.name)
def test_the_mistake_shows(pair: Pair) -> None:
    wrong, right = run(pair.wrong), run(pair.right)
    same = len(wrong) == len(right) and all(
        a.shape == b.shape and torch.allclose(a.double(), b.double(), atol=1e-5)
        for a, b in zip(wrong, right, strict=True)
    )
    assert same != pair.outputs_differ


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.wrong.name)
def test_the_place_is_a_submodule(pair: Pair) -> None:
    assert pair.wrong.place in dict(pair.wrong.build().named_modules())


@pytest.mark.parametrize("pair", [p for p in PAIRS if p.wrong.code == "M25"])
def test_a_right_conversion_gives_the_other_frameworks_numbers(pair: Pair) -> None:
    target = pair.right.hints()["target"]
    assert torch.allclose(run(pair.right)[0], target, atol=1e-5)
    assert not torch.allclose(run(pair.wrong)[0], target, atol=1e-2)


@pytest.mark.parametrize("code", CODES)
def test_three_wrong_models_of_different_shape(code: str) -> None:
    of_code = [pair.wrong for pair in PAIRS if pair.wrong.code == code]
    assert len(of_code) >= 3
    assert len({case.kind for case in of_code}) >= 2
    if code != "M16":  # only an LSTM has cell states
        assert len({case.cell for case in of_code}) >= 3 - (code in ("M22", "M28", "M30"))


def test_names_are_unique() -> None:
    assert not [name for name, count in Counter(case.name for case in CASES).items() if count > 1]


def test_builds_are_repeatable() -> None:
    for case in CASES:
        first, second = case.build().state_dict(), case.build().state_dict()
        assert all(torch.equal(first[name], second[name]) for name in first), case.name


def test_forty_correct_models_of_many_kinds() -> None:
    kinds: dict[str, list[str]] = defaultdict(list)
    for case in CORRECT:
        assert case.about, f"{case.name} does not say what it is"
        kinds[case.kind].append(case.name)
    assert len(CORRECT) >= 40
    assert len(kinds) >= 15
