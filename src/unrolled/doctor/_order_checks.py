"""M18, M24: steps that are read before they come, or stand in reversed order."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ._check import CannotTell, Check, finding
from ._entry import Entry
from ._finding import Finding, Severity
from ._flow import Reach, places_of_ids
from ._layer_run import LayerRun
from ._observation import FAR, Observation, Reader, significant


def sees_the_future(seen: Observation) -> Iterator[Finding]:
    """M18: a predictor of the next step that reads it.

    Args:
        seen: the model.
    """
    if not any(run.bidirectional for run in seen.runs):
        return
    for reader in seen.whole_results:
        if reader.time_axis is None or reader.samples != seen.batch or reader.batch_axis is None:
            continue
        for place, entry in enumerate(seen.examples.entries):
            steps = entry.steps
            if steps is None or steps < 3 or reader.positions not in (steps, steps - 1):
                continue
            severity = _predicts_next(seen, reader.tensor, place)
            if severity is None:
                continue
            amounts = reader.reach(0, 0).entries.get(place)
            ahead = [] if amounts is None else significant(amounts[0], FAR)
            if not ahead or ahead[-1] < 1:
                continue
            run = _reversing_run(seen, place)
            if run is None:
                continue
            sure = severity == "error"
            yield finding(
                "M18",
                severity,
                run.module,
                "RF",
                f"{reader.name} at step 0 depends on step {ahead[-1]} of {entry.name}, "
                + ("which it has to predict." if sure else "and has its symbols for classes."),
                f"{run.module or 'The layer'} is bidirectional: its reverse half has "
                f"read what comes "
                "after each step. "
                + (
                    "In use there is nothing after it yet."
                    if sure
                    else "A model that is to say the next symbol must not; give target, what is "
                    "to come out, to know. One that fills gaps or corrects symbols may."
                ),
                "nn.LSTM(input_size, hidden_size, bidirectional=False)",
                step=0,
                step_read=ahead[-1],
            )
            return


def _reversing_run(seen: Observation, place: int) -> LayerRun | None:
    """A bidirectional run that reads an input and whose output is read step by step."""
    for reader in seen.whole_layer_readers:
        if reader.kind != "input" or reader.run is None or not reader.run.bidirectional:
            continue
        if place not in reader.flow.of(reader.tensor).entries:
            continue
        run = seen.runs[reader.run.index]
        for near in seen.readers:
            if near.time_axis is None or near.kind in ("h_0", "c_0") or near.positions < 2:
                continue
            if near.run is not None and near.run.index <= run.index:
                continue
            amounts = near.reach(0, 0).outputs.get(run.index)
            if amounts is not None and significant(amounts[..., 1].sum(1)) == [0]:
                return run
    return None


def _predicts_next(seen: Observation, result: torch.Tensor, place: int) -> Severity | None:
    """How sure it is that a result is meant for what comes next in an input; None where not at all.

    It is where the target says so, or an argument that is looked up nowhere: where it is the input
    one step on. Without a target it is where an input of its own is decoded from the states of
    another. Where the same symbols go in and come
    out it may be, and as well it may be a model that fills gaps.
    """
    entry = seen.examples.entries[place]
    target = seen.target
    if isinstance(target, torch.Tensor) and entry.steps is not None and entry.packed is None:
        wanted, own = target, entry.tensor
        symbols = entry.kind == "ids" and wanted.dim() == 2 and not wanted.is_floating_point()
        if symbols and wanted.shape != own.shape and wanted.shape[0] == own.shape[1]:
            wanted = wanted.t()
        if wanted.dim() == own.dim() and entry.time_dim is not None and entry.batch_dim is not None:
            axis = entry.time_dim
            if wanted.shape[axis] in (own.shape[axis], own.shape[axis] - 1):
                width = own.shape[axis] - 1
                later = own.narrow(axis, 1, width)
                first = wanted.narrow(axis, 0, width)
                same = later.shape == first.shape and torch.allclose(
                    later.double(), first.double().to(later.device)
                )
                if same:
                    return "error"
        if wanted.dim() == own.dim():
            return None
    if entry.kind != "ids":
        return None
    if _next_is_given(seen, entry):
        return "error"
    decoded = False
    for reader in seen.layer_readers:
        if reader.kind == "h_0" and reader.run is not None and reader.run.bidirectional:
            feeding = seen.reader(reader.run, "input")
            reach = reader.flow.of(reader.tensor)
            if feeding is None or not reach.runs:
                continue
            decoded = decoded or place in feeding.flow.of(feeding.tensor).entries
    if decoded:
        return "error"
    tables = [
        lookup
        for lookup in seen.cut.recorder.lookups
        if lookup.ids.numel() and lookup.vectors.shape[-1] > 0
    ]
    sizes = {
        module.num_embeddings
        for module in seen.model.modules()
        if isinstance(module, torch.nn.Embedding)
    }
    symbols = bool(tables) and len(sizes) == 1 and result.shape[-1] in sizes
    return "note" if symbols and len(seen.examples.entries) == 1 else None


def _next_is_given(seen: Observation, entry: Entry) -> bool:
    """Whether another argument is the symbols of an input one step on, and no input of a layer."""
    own = entry.ids()
    if own.dim() != 2 or own.shape[1] < 3:
        return False
    placed = [places_of_ids(one.ids, seen.examples) for one in seen.cut.recorder.lookups]
    known = {found[0] for found in placed if found is not None}
    for place, other in enumerate(seen.examples.entries):
        if other is entry or other.kind != "ids" or place in known or other.ids().dim() != 2:
            continue
        wanted = other.ids()
        if wanted.shape == own.shape and torch.equal(wanted[:, :-1], own[:, 1:]):
            return True
    return False


def _bidirectional_or_tell(seen: Observation) -> Iterator[Finding]:
    if seen.examples.entries and all(
        entry.steps is not None and entry.steps < 3 for entry in seen.examples.entries
    ):
        raise CannotTell("the example has fewer than three steps; give a longer one")
    yield from sees_the_future(seen)


def not_turned_back(seen: Observation) -> Iterator[Finding]:
    """M24: a layer that reads the input from its end, its output not turned back.

    Args:
        seen: the model.
    """
    place, main = seen.main_place, seen.main
    if place is None or main is None or (main.steps or 0) < 3:
        return
    turned = _reversed_runs(seen, place)
    reversed_runs = {run.index for run, *_ in turned}
    for run, sample, length in reversed(turned):
        reader = _taking_in_place(seen, run, place, sample, length, reversed_runs)
        if reader is not None:
            yield _not_turned(run, reader, length)
            return
    for calls in seen.calls.values():
        reader = _taking_calls_in_place(seen, calls, place)
        if reader is not None:
            yield _not_turned(calls[0], reader, len(calls))
            return


def _not_turned(run: LayerRun, reader: Reader, length: int) -> Finding:
    named = run.module or "the layer"
    return finding(
        "M24",
        "error",
        run.module,
        "RF",
        f"{run.module or 'The layer'} reads the input from its end, and {reader.name} takes its "
        f"output at step 0 for step 0 of the input, though it has read step {length - 1} only.",
        f"The output of {named} stands in reversed order and is put beside steps that are not.",
        "output = output.flip(1)  # back into the order of the input",
        step=0,
        step_read=length - 1,
    )


def _taking_calls_in_place(seen: Observation, calls: list[LayerRun], place: int) -> Reader | None:
    """Who takes the states of a cell that read an input from its end, in the order of the calls."""
    steps = len(calls)
    if steps < 3 or steps != seen.examples.entries[place].steps:
        return None
    if any(not run.single for run in calls):
        return None
    for call, run in enumerate(calls):
        feeding = seen.reader(run, "input")
        amounts = None if feeding is None else feeding.reach(0).entries.get(place)
        if amounts is None or significant(amounts.sum(0)) != [steps - 1 - call]:
            return None
    own = {run.index for run in calls}
    for reader in seen.results:
        if reader.time_axis is None or reader.positions != steps:
            continue
        taken = [reader.reach(0, position).runs & own for position in range(steps)]
        if taken == [{run.index} for run in calls]:
            return reader
    return None


def _reversed_runs(seen: Observation, place: int) -> list[tuple[LayerRun, int, int]]:
    """The runs that read an input from its end, as one sample shows that, and its length."""
    found: list[tuple[LayerRun, int, int]] = []
    for source in seen.layer_readers:
        run = source.run
        if source.kind != "input" or run is None or run.bidirectional or run.steps < 3:
            continue
        sample = max(0, (seen.lane_samples.get(run.index) or [0])[0])
        length = seen.length_of(run, sample)
        known = {one.index for one, *_ in found}
        if length >= 3 and _runs_reversed(seen, source, place, sample, length, known):
            found.append((run, sample, length))
    return found


def _taking_in_place(
    seen: Observation, run: LayerRun, place: int, sample: int, length: int, reversed_runs: set[int]
) -> Reader | None:
    """Who takes the output of a reversed run step by step, as if it were in order.

    A layer that takes nothing but reversed steps is the next one of a stack that reads in that
    direction throughout.
    """
    for reader in seen.readers:
        if reader.kind in ("h_0", "c_0") or reader.time_axis is None:
            continue
        if reader.run is not None and reader.run.index <= run.index:
            continue
        if reader.positions < length or reader.samples <= sample:
            continue
        who = seen.lane_of(reader.run, sample) if reader.run is not None else sample
        lane = seen.lane_of(run, sample)
        reaches = [reader.reach(who, position) for position in range(length)]
        taken = [_steps_taken(reach, run.index, lane) for reach in reaches]
        if any(found != [position] for position, found in enumerate(taken)):
            continue
        stack = all(
            _in_reverse(seen, reach, place, sample, position, length, reversed_runs)
            for position, reach in enumerate(reaches)
        )
        if reader.kind != "input" or not stack:
            return reader
    return None


def _runs_reversed(
    seen: Observation,
    source: Reader,
    place: int,
    sample: int,
    length: int,
    reversed_runs: set[int],
) -> bool:
    """Whether a run reads a sample from the last step to the first, or who does before it."""
    lane = seen.lane_of(source.run, sample) if source.run is not None else sample
    return all(
        _in_reverse(
            seen, source.reach(lane, position), place, sample, position, length, reversed_runs
        )
        for position in range(length)
    )


def _in_reverse(
    seen: Observation,
    reach: Reach,
    place: int,
    sample: int,
    position: int,
    length: int,
    reversed_runs: set[int],
) -> bool:
    """Whether all that a position was made of is the same step, counted from the end."""
    amounts = reach.entries.get(place)
    steps = [] if amounts is None else [significant(amounts[sample])]
    for index in reach.runs:
        taken = _steps_taken(reach, index, seen.lane_of(seen.runs[index], sample))
        in_order = [length - 1 - step for step in taken]
        steps.append(in_order if index in reversed_runs else taken)
    return bool(steps) and all(found == [length - 1 - position] for found in steps)


def _steps_taken(reach: Reach, index: int, lane: int) -> list[int]:
    amounts = reach.outputs.get(index)
    return [] if amounts is None else significant(amounts[:, lane].sum(1))


CHECKS = (
    Check("M18", _bidirectional_or_tell),
    Check("M24", not_turned_back),
)
