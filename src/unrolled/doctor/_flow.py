"""Who reads whom in one run: from each tensor back to the states and inputs it was made of."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from ._entry import Entry
from ._examples import Examples
from ._layer_run import LayerRun, Lookup
from ._recorder import OutOfTime, Recorder

Numbers = npt.NDArray[np.float64]


@dataclass(eq=False)
class Reach:
    """What one value was made of, as sizes of its gradient; 0 where it was not."""

    outputs: dict[int, Numbers]
    """By run: (step, lane, direction)."""
    finals: dict[tuple[int, str], Numbers]
    """By run and `"h_n"` or `"c_n"`: (row, lane)."""
    entries: dict[int, Numbers]
    """By input: (sample, step)."""

    @property
    def runs(self) -> set[int]:
        """The runs whose states were read."""
        return set(self.outputs) | {run for run, _ in self.finals}


class Flow:
    """The gradients of one recorded run.

    Args:
        recorder: of the run.
        examples: of the run.
        roots: the leaves of float inputs, by place among the entries.
        results: what the model gave.
    """

    def __init__(
        self,
        recorder: Recorder,
        examples: Examples,
        roots: dict[int, Tensor],
        results: list[Tensor],
    ) -> None:
        self.recorder = recorder
        self.examples = examples
        self.roots = roots
        self.results = results
        self.runs = recorder.runs
        self.keys: list[tuple[str, Any, Any]] = []
        self.leaves: list[Tensor] = []
        if recorder.cutting:
            for run in self.runs:
                for name, leaf in run.leaves().items():
                    self._add(("run", run, name), leaf)
        for place, root in roots.items():
            self._add(("entry", place, None), root)
        for number, lookup in enumerate(recorder.lookups):
            placed = self._placed(number, lookup)
            if placed and lookup.vectors.is_leaf:
                self._add(("lookup", lookup, placed), lookup.vectors)
        # The value is kept beside its reach, so that its id is not given to another.
        self.known: dict[int, tuple[Tensor, Reach]] = {}

    def _placed(self, number: int, lookup: Lookup) -> list[tuple[int, Tensor | None, Tensor]]:
        """Where the symbols of a lookup come from: the input, which of them, and (sample, step)."""
        placed = places_of_ids(lookup.ids, self.examples)
        if placed is not None:
            return [(placed[0], None, placed[1])]
        found: list[tuple[int, Tensor | None, Tensor]] = []
        for origin in self.recorder.made_of.get(number, ()):
            if len(origin.symbols) and int(origin.symbols.max()) >= lookup.ids.numel():
                continue
            for place, entry in enumerate(self.examples.entries):
                if entry.leaf == origin.leaf:
                    turned = entry.batch_dim == 1
                    order = origin.places.flip(1) if turned else origin.places
                    found.append((place, origin.symbols, order))
        return found

    def _add(self, key: tuple[str, Any, Any], leaf: Tensor) -> None:
        if leaf.requires_grad:
            self.keys.append(key)
            self.leaves.append(leaf)

    def of(self, value: Tensor) -> Reach:
        """What a value was made of.

        Args:
            value: any part of a tensor of the run.
        """
        if time.monotonic() > self.recorder.deadline:
            raise OutOfTime
        known = self.known.get(id(value))
        if known is not None:
            return known[1]
        reach = self._of(value)
        self.known[id(value)] = value, reach
        return reach

    def _of(self, value: Tensor) -> Reach:
        reach = Reach({}, {}, {})
        if not value.requires_grad or not self.leaves or value.numel() == 0:
            return reach
        generator = torch.Generator().manual_seed(value.numel())
        weights = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.5
        total = (value * weights.to(value.dtype)).sum()
        gradients = torch.autograd.grad(total, self.leaves, retain_graph=True, allow_unused=True)
        for (kind, what, name), gradient in zip(self.keys, gradients, strict=True):
            if gradient is None:
                continue
            gradient = torch.nan_to_num(gradient, nan=1.0)
            if kind == "run":
                self._add_run(reach, what, name, gradient)
            elif kind == "entry":
                entry = self.examples.entries[what]
                found = entry.by_place(gradient).numpy()
                self._sum(reach.entries, what, found)
            else:
                amounts = gradient.abs().double().sum(-1).reshape(-1)
                for place, symbols, order in name:
                    entry = self.examples.entries[place]
                    taken = amounts if symbols is None else amounts[symbols]
                    grid = torch.zeros(entry.batch, int(entry.steps or 1), dtype=torch.float64)
                    grid.index_put_((order[:, 0], order[:, 1]), taken, accumulate=True)
                    self._sum(reach.entries, place, grid.numpy())
        return reach

    def _add_run(self, reach: Reach, run: LayerRun, name: str, gradient: Tensor) -> None:
        amounts = gradient.abs().double()
        if not bool((amounts > 0).any()):
            return
        if name == "output":
            reach.outputs[run.index] = run.halves(amounts).sum(-1).numpy()
        else:
            reach.finals[run.index, name] = run.rows(amounts).sum(-1).numpy()

    def _sum(self, into: dict[int, Numbers], key: int, found: Numbers) -> None:
        if found.any():
            into[key] = into[key] + found if key in into else found


def places_of_ids(ids: Tensor, examples: Examples) -> tuple[int, Tensor] | None:
    """Which input's symbols were looked up: its place, and (sample, step) of each.

    Args:
        ids: what was looked up.
        examples: the inputs.
    """
    # One symbol for each sample may be equal to a step of a sequence: the sequences come first.
    for place, entry in sorted(enumerate(examples.entries), key=lambda one: one[1].steps is None):
        if entry.kind == "floats" or entry.tensor.is_floating_point():
            continue
        if entry.packed is not None:
            if ids.shape == entry.tensor.shape and torch.equal(ids, entry.tensor):
                return place, entry.order
            continue
        order = _match(ids, entry, examples.lengths)
        if order is not None:
            return place, order
    return None


def _match(ids: Tensor, entry: Entry, lengths: tuple[int, ...] | None) -> Tensor | None:
    own = entry.ids()
    if own.dim() != 2:
        return _match_deep(ids, own)
    batch, steps = own.shape
    tags = torch.arange(batch * steps).reshape(batch, steps)
    orders = [(own, tags), (own.flip(1), tags.flip(1))]
    if lengths is not None and len(lengths) == batch and max(lengths) <= steps:
        turn = torch.stack(
            [torch.cat([torch.arange(n).flip(0), torch.arange(n, steps)]) for n in lengths]
        )
        orders.append((own.gather(1, turn), tags.gather(1, turn)))
    flat = ids.squeeze()
    for values, marks in orders:
        if flat.dim() == 2:
            for looked, across in ((flat, False), (flat.t(), True)):
                placed = _match_rows(looked, values, marks)
                if placed is not None:
                    placed = placed.t() if across else placed
                    return _pairs(placed.reshape(-1), steps)
        elif flat.dim() == 1:
            for step in range(steps):
                if flat.shape[0] == batch and torch.equal(flat, values[:, step]):
                    return _pairs(marks[:, step], steps)
            for row in range(batch):
                if flat.shape[0] == steps and torch.equal(flat, values[row]):
                    return _pairs(marks[row], steps)
            marked = _packed(tags, lengths)
            if marked is not None and torch.equal(flat, own.reshape(-1)[marked]):
                return _pairs(marked, steps)
            if flat.shape[0] == batch * steps:
                for looked_at, marked in ((values, marks), (values.t(), marks.t())):
                    if torch.equal(flat, looked_at.reshape(-1)):
                        return _pairs(marked.reshape(-1), steps)
    if flat.dim() == 2 and flat.shape == own.shape:
        placed = _match_turned(flat, own, tags)
        if placed is not None:
            return _pairs(placed.reshape(-1), steps)
    return None


def _packed(tags: Tensor, lengths: tuple[int, ...] | None) -> Tensor | None:
    """The places of an input's symbols in the order in which packing puts them."""
    if lengths is None or len(lengths) != tags.shape[0] or max(lengths) > tags.shape[1]:
        return None
    return pack_padded_sequence(tags, torch.tensor(lengths), True, enforce_sorted=False).data


def _match_turned(looked: Tensor, own: Tensor, tags: Tensor) -> Tensor | None:
    """Each row as the input's row with its symbols in another order, as when turned."""
    if not torch.equal(looked.sort(1).values, own.sort(1).values):
        return None
    placed = torch.empty_like(tags)
    of_looked, of_own = looked.argsort(dim=1, stable=True), own.argsort(dim=1, stable=True)
    placed.scatter_(1, of_looked, tags.gather(1, of_own))
    return placed


def _match_rows(looked: Tensor, values: Tensor, marks: Tensor) -> Tensor | None:
    """Rows of symbols found among a window of the input's rows, in any order."""
    rows, width = looked.shape
    if rows > values.shape[0] or width > values.shape[1]:
        return None
    for begin in range(values.shape[1] - width + 1):
        window = values[:, begin : begin + width]
        same = (looked[:, None] == window[None]).all(-1)
        if bool(same.any(1).all()):
            own = same[torch.arange(rows), torch.arange(rows)]
            chosen = torch.where(own, torch.arange(rows), same.double().argmax(1))
            return marks[chosen, begin : begin + width]
    return None


def _match_deep(ids: Tensor, own: Tensor) -> Tensor | None:
    """Symbols with more dimensions than two, such as letters of words."""
    if ids.numel() != own.numel() or not torch.equal(ids.reshape(-1), own.reshape(-1)):
        return None
    batch, steps = own.shape[:2]
    tags = torch.arange(batch * steps).reshape(batch, steps, *[1] * (own.dim() - 2))
    return _pairs(tags.expand_as(own).reshape(-1), steps)


def _pairs(tags: Tensor, steps: int) -> Tensor:
    return torch.stack([tags // steps, tags % steps], 1)
