"""Which samples a value was made of, and which view mixed them."""

from __future__ import annotations

import torch

from ._layer_run import LayerRun, Reshape
from ._observation import FAR, Observation, Reader, significant

Source = tuple[str, int]
"""Where a value comes from: `"entry"` with its place, or one of a run's tensors with its index."""


def leads_to(tensor: torch.Tensor, sink: torch.Tensor) -> bool:
    """Whether a tensor of the run went into another.

    Args:
        tensor: the earlier.
        sink: the later.
    """
    if tensor is sink:
        return True
    if not tensor.requires_grad or not sink.requires_grad:
        return False
    gradient = torch.autograd.grad(sink.sum(), tensor, retain_graph=True, allow_unused=True)[0]
    return gradient is not None and bool((gradient != 0).any())


def _same_values(tensor: torch.Tensor, states: torch.Tensor) -> bool:
    return tensor.numel() == states.numel() and torch.equal(
        tensor.detach().reshape(-1).sort().values, states.detach().reshape(-1).sort().values
    )


def states_viewed(seen: Observation, reshape: Reshape) -> LayerRun | None:
    """The run whose final states a view was taken of.

    Args:
        seen: the model.
        reshape: the view.
    """
    before = reshape.before
    if not before.is_floating_point():
        return None
    for run in reversed(seen.runs):
        for states in (run.h_n, run.c_n):
            if states is not None and not run.single and _same_values(before, states):
                return run
    return None


def sample_axis(seen: Observation, tensor: torch.Tensor) -> int | None:
    """An axis of a tensor along which samples are apart.

    Args:
        seen: the model.
        tensor: of the cut run.
    """
    for axis, size in enumerate(tensor.shape):
        if size != seen.batch:
            continue
        lanes = [_lanes(seen, tensor.narrow(axis, place, 1)) for place in range(size)]
        if all(len(found) == 1 for found in lanes) and len(set.union(*lanes)) == size:
            return axis
    return None


def _lanes(seen: Observation, value: torch.Tensor) -> set[int]:
    """The samples that a value was made of."""
    reach = seen.cut.flow.of(value)
    found: set[int] = set()
    for index, amounts in reach.outputs.items():
        found |= _samples(seen, index, significant(amounts.sum((0, 2))))
    for (index, _), amounts in reach.finals.items():
        found |= _samples(seen, index, significant(amounts.sum(0)))
    for amounts in reach.entries.values():
        found |= set(significant(amounts.sum(1)))
    return found


def _samples(seen: Observation, index: int, lanes: list[int]) -> set[int]:
    known = seen.lane_samples.get(index, [])
    return {known[lane] if lane < len(known) and known[lane] >= 0 else lane for lane in lanes}


def foreign_samples(seen: Observation, reader: Reader) -> dict[int, dict[Source, set[int]]]:
    """By sample of a reader: what it takes of other samples, by where from.

    Args:
        seen: the model.
        reader: who takes.
    """
    found: dict[int, dict[Source, set[int]]] = {}
    for sample in range(reader.samples):
        reach = reader.reach(sample)
        taken: dict[Source, set[int]] = {}
        home = sample
        if reader.run is not None:
            known = seen.lane_samples.get(reader.run.index, [])
            if sample < len(known) and known[sample] >= 0:
                home = known[sample]
        for index, amounts in reach.outputs.items():
            taken["output", index] = _samples(seen, index, significant(amounts.sum((0, 2))))
        for (index, kind), amounts in reach.finals.items():
            taken[kind, index] = _samples(seen, index, significant(amounts.sum(0)))
        for place, amounts in reach.entries.items():
            if amounts.shape[0] == seen.batch:
                taken["entry", place] = set(significant(amounts.sum(1)))
        found[sample] = {key: lanes - {home} for key, lanes in taken.items() if lanes - {home}}
    return found


def swapped_source(seen: Observation, reader: Reader) -> Source | None:
    """The source whose samples are this run's steps, if there is one.

    Args:
        seen: the model.
        reader: what feeds the run.
    """
    run = reader.run
    if run is None or run.packed or run.single:
        return None
    entries = any(
        entry.steps is not None and entry.batch == run.steps for entry in seen.examples.entries
    )
    if not entries and all(earlier.lanes != run.steps for earlier in seen.runs[: run.index]):
        return None
    by_lane = [reader.flow.of(reader.tensor[:, lane]) for lane in range(run.lanes)]
    by_step = [reader.flow.of(reader.tensor[step]) for step in range(run.steps)]
    for place, entry in enumerate(seen.examples.entries):
        if entry.steps is None or entry.batch != run.steps or entry.batch < 2:
            continue
        steps = [
            significant(r.entries[place].sum(1), FAR) if place in r.entries else [] for r in by_step
        ]
        lanes = [
            significant(r.entries[place].sum(1), FAR) if place in r.entries else [] for r in by_lane
        ]
        if all(found == [step] for step, found in enumerate(steps)) and all(
            len(found) > 1 for found in lanes
        ):
            return ("entry", place)
    for earlier in seen.runs[: run.index]:
        if earlier.lanes != run.steps or earlier.lanes < 2 or earlier.single:
            continue
        steps, lanes = [], []
        for reaches, into in ((by_step, steps), (by_lane, lanes)):
            for reach in reaches:
                amounts = reach.outputs.get(earlier.index)
                into.append([] if amounts is None else significant(amounts.sum((0, 2))))
        if all(found == [step] for step, found in enumerate(steps)) and all(
            len(found) > 1 for found in lanes
        ):
            return ("run", earlier.index)
    return None


def reshape_into(seen: Observation, reader: Reader) -> Reshape | None:
    """The view that mixed the samples of a reader.

    Args:
        seen: the model.
        reader: who takes.
    """
    for reshape in seen.cut.recorder.reshapes:
        if not reshape.before.is_floating_point() or not reshape.after.requires_grad:
            continue
        if not leads_to(reshape.after, reader.tensor):
            continue
        if sample_axis(seen, reshape.before) is not None and (
            sample_axis(seen, reshape.after) is None
        ):
            return reshape
    return None


def moved_lanes(seen: Observation, reader: Reader) -> list[int] | None:
    """The sample that starts each lane, where each is one other sample and none comes twice.

    Args:
        seen: the model.
        reader: what starts a run.
    """
    run = reader.run
    if run is None:
        return None
    home = seen.lane_samples.get(run.index, [])
    order = []
    for lane in range(reader.samples):
        found = _lanes(seen, reader.part(lane))
        if len(found) != 1:
            return None
        order.append(found.pop())
    own = [h if h >= 0 else k for k, h in enumerate(home)] or list(range(len(order)))
    if sorted(order) != list(range(len(order))) or order == own:
        return None
    return order


def sorted_order(seen: Observation, reader: Reader) -> list[int] | None:
    """The sample that each row of a result is of, where that is another order and no mixing.

    Args:
        seen: the model.
        reader: a result.
    """
    place = seen.main_place
    if place is None:
        return None
    order = []
    whole = seen.whole_results
    same = next((r for r, c in zip(whole, seen.results, strict=False) if c is reader), None)
    if same is None:
        return None
    for sample in range(same.samples):
        amounts = same.reach(sample).entries.get(place)
        samples = significant(amounts.sum(1), FAR) if amounts is not None else []
        if len(samples) != 1:
            return None
        order.append(samples[0])
    if sorted(order) != list(range(len(order))) or order == sorted(order):
        return None
    return order
