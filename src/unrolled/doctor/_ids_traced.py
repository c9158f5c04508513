"""Symbols that a model makes of its input before it looks them up: which input each is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._entry import Entry
from ._examples import Examples
from ._flow import places_of_ids
from ._layer_run import Lookup

if TYPE_CHECKING:
    from ._trial import Runner, Trial

MOST_RUNS = 80
"""Runs that are worth it: one for each row and each column of an input."""


@dataclass(frozen=True, eq=False)
class Origin:
    """Which symbols of an input a lookup's symbols were made of."""

    leaf: int
    """The input's place among the flattened arguments."""
    symbols: Tensor
    """Which of the symbols looked up, as flattened."""
    places: Tensor
    """(dimension 0, dimension 1) of the input's symbol for each of them."""


def traced_ids(runner: Runner, examples: Examples, trial: Trial) -> dict[int, tuple[Origin, ...]]:
    """By lookup: what its symbols were made of, where they are no input's as they stand.

    Each row and each column of each input is changed on its own, and the model run again: a symbol
    that changes with one of each was made of the symbol there. One that changes with more was
    chosen by the model itself, as by argmax, and is left out.

    Args:
        runner: of the model.
        examples: what it is called with.
        trial: a run of them.
    """
    unknown = [
        number
        for number, lookup in enumerate(trial.recorder.lookups)
        if lookup.ids.numel() and places_of_ids(lookup.ids, examples) is None
    ]
    inputs = [entry for entry in examples.entries if entry.kind == "ids"]
    if not unknown or sum(sum(_grid(entry)) for entry in inputs) > MOST_RUNS:
        return {}
    found: dict[int, tuple[Origin, ...]] = {}
    for entry in inputs:
        moved = _moved(runner, examples, trial, entry)
        for number in unknown:
            rows_moving, columns_moving = moved[0][number], moved[1][number]
            if max(int(rows_moving.sum(1).max()), int(columns_moving.sum(1).max())) > 1:
                continue
            symbols, rows, columns = torch.nonzero(
                rows_moving[:, :, None] & columns_moving[:, None, :], as_tuple=True
            )
            if len(symbols):
                places = torch.stack([rows, columns], 1)
                found[number] = (*found.get(number, ()), Origin(entry.leaf, symbols, places))
    return found


def _grid(entry: Entry) -> tuple[int, int]:
    shape = (*entry.tensor.shape, 1)
    return int(shape[0]), int(shape[1])


def _moved(runner: Runner, examples: Examples, trial: Trial, entry: Entry) -> list[list[Tensor]]:
    """By dimension and lookup: (symbol, row or column), whether the one moves with the other."""
    lookups = trial.recorder.lookups
    halfway = time.monotonic() + (runner.deadline - time.monotonic()) / 2
    found = []
    for dimension, size in enumerate(_grid(entry)):
        marks = [torch.zeros(lookup.ids.numel(), size, dtype=torch.bool) for lookup in lookups]
        for index, tensor in enumerate(_changed(entry, examples, dimension, size)):
            if time.monotonic() > halfway:
                break
            for mark, symbols in zip(
                marks, _differing(runner, examples, lookups, {entry.leaf: tensor}), strict=True
            ):
                mark[:, index] = symbols
        found.append(marks)
    return found


def _changed(entry: Entry, examples: Examples, dimension: int, size: int) -> Iterator[Tensor]:
    """The input with one row or column of real symbols after the other changed for others."""
    real = _real(entry, examples)
    known: Tensor = torch.unique(entry.tensor[real])
    place = torch.searchsorted(known, entry.tensor.contiguous()).clamp(max=len(known) - 1)
    others = known[(place + 1) % len(known)]
    for index in range(size):
        chosen = torch.zeros_like(real)
        if dimension < chosen.dim():
            chosen.select(dimension, index).fill_(True)
        else:
            chosen.fill_(True)
        yield torch.where(chosen & real, others, entry.tensor)


def _real(entry: Entry, examples: Examples) -> Tensor:
    """Where the symbols stand that are no padding."""
    real = torch.ones_like(entry.tensor, dtype=torch.bool)
    if entry is examples.main and examples.lengths is not None and examples.padded_left:
        return entry.tensor != 0
    if entry is examples.main and examples.lengths is not None and entry.time_dim is not None:
        steps = torch.arange(int(entry.steps or 0)) < torch.tensor(examples.lengths)[:, None]
        steps = steps if entry.batch_dim == 0 else steps.t()
        return steps.reshape(*steps.shape, *[1] * (real.dim() - 2)).expand_as(real)
    return real


def _differing(
    runner: Runner, examples: Examples, lookups: list[Lookup], changed: dict[int, Tensor]
) -> list[Tensor]:
    """By lookup: which of its symbols are others in a run with other inputs."""
    try:
        again = runner.run(examples, cutting=False, changed=changed, graph=False).recorder.lookups
    except Exception:
        again = []  # such symbols are not allowed, so that nothing can be learned of them
    found = []
    for number, lookup in enumerate(lookups):
        same = len(again) == len(lookups) and again[number].ids.shape == lookup.ids.shape
        flat = lookup.ids.reshape(-1)
        found.append(
            again[number].ids.reshape(-1) != flat
            if same
            else torch.zeros_like(flat, dtype=torch.bool)
        )
    return found
