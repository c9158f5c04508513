"""One model to judge the doctor by, and how the models of the corpus are collected."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """A model with its example inputs and what the doctor is expected to say of it."""

    name: str
    code: str | None
    """The mistake in it; none in a correct one."""
    kind: str
    """What the model is for: `"classifier"`, `"tagger"` and so on."""
    cell: str
    make: Callable[[], nn.Module]
    make_args: Callable[[], tuple[Any, ...]]
    make_keywords: Callable[[], dict[str, Any]] = dict
    make_hints: Callable[[], dict[str, Any]] = dict
    """What a user has to tell `diagnose` because nothing in the inputs says it."""
    place: str = ""
    """The qualified name of the submodule that the finding names."""
    severities: tuple[str, ...] = ("error", "warning")
    also: Mapping[str, str] = field(default_factory=dict)
    """Other codes that are true of the model too, each with the reason."""
    about: str = ""

    def build(self) -> nn.Module:
        """The model, with the same weights each time."""
        return seeded(self.make)

    def args(self) -> tuple[Any, ...]:
        return seeded(self.make_args)

    def keywords(self) -> dict[str, Any]:
        return seeded(self.make_keywords)

    def hints(self) -> dict[str, Any]:
        return seeded(self.make_hints)


@dataclass(frozen=True)
class Pair:
    """A wrong model and its right twin: the same model with the repair."""

    wrong: Case
    right: Case
    outputs_differ: bool
    """Whether the mistake changes what comes out of one call in evaluation mode."""


def seeded(make: Callable[[], Any]) -> Any:
    """What `make` makes from a fixed random state, which is then put back."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Of M27 the layer itself warns when it is made; people ignore it.
        warnings.filterwarnings("ignore", message="dropout")
        # PyTorch says once that it computes projections without oneDNN.
        warnings.filterwarnings("ignore", message="LSTM with projections")
        torch.default_generator.manual_seed(20)  # `torch.manual_seed` is slow without a GPU
        return make()


PAIRS: list[Pair] = []
CORRECT: list[Case] = []


def _name(cls: Any) -> str:
    if cls.__name__.islower():
        return str(cls.__name__).replace("_", "-")
    return "".join(
        "-" + letter.lower() if letter.isupper() and place else letter.lower()
        for place, letter in enumerate(cls.__name__)
    )


def pair(
    code: str,
    kind: str,
    cell: str,
    place: str,
    args: Callable[[], tuple[Any, ...]],
    *,
    keywords: Callable[[], dict[str, Any]] = dict,
    hints: Callable[[], dict[str, Any]] = dict,
    severities: tuple[str, ...] = ("error", "warning"),
    also: Mapping[str, str] | None = None,
    outputs_differ: bool = True,
) -> Callable[[Any], Any]:
    """Collects a model class whose one argument `right` says whether it is the repaired one."""

    def collect(cls: Any) -> Any:
        def case(right: bool) -> Case:
            return Case(
                name=f"{code.lower()}-{_name(cls)}" + ("-right" if right else ""),
                code=None if right else code,
                kind=kind,
                cell=cell,
                make=lambda: cls(right=right),
                make_args=args,
                make_keywords=keywords,
                make_hints=hints,
                place=place,
                severities=severities,
                also=also or {},
                about=(cls.__doc__ or "").strip(),
            )

        PAIRS.append(Pair(case(False), case(True), outputs_differ))
        return cls

    return collect


def correct(
    kind: str,
    cell: str,
    args: Callable[[], tuple[Any, ...]],
    *,
    keywords: Callable[[], dict[str, Any]] = dict,
    hints: Callable[[], dict[str, Any]] = dict,
) -> Callable[[Any], Any]:
    """Collects a correct model; the class's docstring says what it is."""

    def collect(cls: Any) -> Any:
        CORRECT.append(
            Case(
                name=_name(cls),
                code=None,
                kind=kind,
                cell=cell,
                make=cls,
                make_args=args,
                make_keywords=keywords,
                make_hints=hints,
                about=(cls.__doc__ or "").strip(),
            )
        )
        return cls

    return collect
