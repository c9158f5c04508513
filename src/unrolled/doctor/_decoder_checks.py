"""M16, M17, M18, M24, M30: what a decoder starts from, keeps and sees; the order of steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._layer_run import LayerRun
from ._observation import FAR, Observation, significant

_H_TO_C = (
    "An LSTM keeps its memory in the cell state c and shows h. Here one stands where the other "
    "belongs, so that the memory is lost."
)


def lost_cell(seen: Observation) -> Iterator[Finding]:
    """M16: c lost or swapped with h.

    Args:
        seen: the model.
    """
    told: set[str] = set()
    for run in seen.runs:
        if run.cell != "lstm":
            continue
        start, memory = seen.reader(run, "h_0"), seen.reader(run, "c_0")
        if start is None or memory is None:
            continue
        into_h = start.flow.of(start.tensor)
        into_c = memory.flow.of(memory.tensor)
        for source in seen.runs[: run.index]:
            if source.cell != "lstm" or source.module in told:
                continue
            at = source.index
            h_to_h = (at, "h_n") in into_h.finals or at in into_h.outputs
            c_to_h = (at, "c_n") in into_h.finals
            h_to_c = (at, "h_n") in into_c.finals or at in into_c.outputs
            c_to_c = (at, "c_n") in into_c.finals
            severity: str = "error"
            to, origin = run.module or "the layer", source.module or "the layer"
            if c_to_h and not h_to_h:
                what = f"h_0 of {to} is made of c_n of {origin}"
            elif h_to_c and not c_to_c:
                what = f"c_0 of {to} is made of h_n of {origin}"
            elif (
                h_to_h
                and not into_c.finals
                and not into_c.outputs
                and not bool((run.c_0 != 0).any() if run.c_0 is not None else False)
                and not into_c.entries
            ):
                what = (
                    f"h_0 of {run.module or 'the layer'} is made of h_n of "
                    f"{source.module or 'the layer'}, and its c_0 is zero"
                )
                severity = "warning" if run.module != source.module else "error"
            else:
                continue
            told.add(source.module)
            yield finding(
                "M16",
                "error" if severity == "error" else "warning",
                source.module,
                "ID",
                f"{what}.",
                _H_TO_C,
                "output, (h_n, c_n) = encoder(x)\ndecoder(y, (h_n, c_n))",
                run=run.index,
            )
            return
    for reader in seen.results:
        reach = reader.flow.of(reader.tensor)
        for index, kind in reach.finals:
            run = seen.runs[index]
            if kind != "c_n" or (index, "h_n") in reach.finals or index in reach.outputs:
                continue
            if run.module in told or any(
                (index, "h_n") in r.finals or index in r.outputs
                for r in (other.flow.of(other.tensor) for other in seen.results)
            ):
                continue
            told.add(run.module)
            most = float(run.c_n.detach().abs().max()) if run.c_n is not None else 0.0
            yield finding(
                "M16",
                "error",
                run.module,
                "ID",
                f"{reader.name} is made of c_n of {run.module or 'the layer'} (at most "
                f"{most:.3g} in "
                "size) and of none of its h.",
                _H_TO_C,
                "output, (h_n, c_n) = lstm(x)  # h_n first",
                largest=most,
            )


def not_fed_back(seen: Observation) -> Iterator[Finding]:
    """M17: a layer that is run step by step, each time from elsewhere than its last state.

    Args:
        seen: the model.
    """
    for name, runs in seen.calls.items():
        if len(runs) < 2 or any(run.steps != 1 for run in runs):
            continue
        own = {run.index for run in runs}
        fed, steps = 0, 0
        for run in runs[1:]:
            steps += 1
            for kind in ("h_0", "c_0", "input"):
                reader = seen.reader(run, kind)
                if reader is None:
                    continue
                if any(index in own for index in reader.flow.of(reader.tensor).runs):
                    fed += kind != "input"
                    break
        if fed or not _one_sequence(seen, runs):
            continue
        yield finding(
            "M17",
            "error",
            name,
            "RF",
            f"{name or 'The layer'} ran {len(runs)} times for one step each, and no "
            f"run but the first "
            f"starts from a state of the run before it: 0 of {steps}.",
            f"The state of {name or 'the layer'} is not fed back: each step forgets "
            f"those before it.",
            "for step in range(steps):\n"
            "    output, state = decoder(y[:, step : step + 1], state)  # the new state goes on",
            runs=len(runs),
            fed_back=0,
        )


def _one_sequence(seen: Observation, runs: list[LayerRun]) -> bool:
    """Whether the runs are steps of a sequence: other steps of the same samples."""
    read = []
    for run in runs[:3]:
        reader = next(r for r in seen.whole_layer_readers if r.run and r.run.index == run.index)
        reach = reader.flow.of(reader.tensor)
        steps = {
            (place, step)
            for place, amounts in reach.entries.items()
            for step in significant(amounts.sum(0), FAR)
        }
        read.append(steps)
    return len(runs) > 2 or len(set(map(frozenset, read))) > 1 or not read[0]


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
            if not _predicts_next(seen, reader.tensor, place):
                continue
            amounts = reader.reach(0, 0).entries.get(place)
            ahead = [] if amounts is None else significant(amounts[0], FAR)
            if not ahead or ahead[-1] < 1:
                continue
            run = _reversing_run(seen, place)
            if run is None:
                continue
            yield finding(
                "M18",
                "error",
                run.module,
                "RF",
                f"{reader.name} at step 0 depends on step {ahead[-1]} of {entry.name}, "
                f"which it has to "
                "predict.",
                f"{run.module or 'The layer'} is bidirectional: its reverse half has "
                f"read what comes "
                "after each step. In use there is nothing after it yet.",
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


def _predicts_next(seen: Observation, result: torch.Tensor, place: int) -> bool:
    """Whether a result is meant for what comes next in an input.

    It is where the target says so: where it is the input one step on. Without a target it is where
    an input of its own is decoded from the states of another, into symbols of the same kinds.
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
                    return True
        if wanted.dim() == own.dim():
            return False
    if entry.kind != "ids":
        return False
    decoded = False
    for reader in seen.layer_readers:
        if reader.kind == "h_0" and reader.run is not None and reader.run.bidirectional:
            feeding = seen.reader(reader.run, "input")
            reach = reader.flow.of(reader.tensor)
            if feeding is None or not reach.runs:
                continue
            decoded = decoded or place in feeding.flow.of(feeding.tensor).entries
    if decoded:
        return True
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
    return (
        bool(tables)
        and len(sizes) == 1
        and result.shape[-1] in sizes
        and len(seen.examples.entries) == 1
    )


def not_turned_back(seen: Observation) -> Iterator[Finding]:
    """M24: a layer that reads the input from its end, its output not turned back.

    Args:
        seen: the model.
    """
    place, main = seen.main_place, seen.main
    if place is None or main is None or (main.steps or 0) < 3:
        return
    for source in seen.layer_readers:
        run = source.run
        if source.kind != "input" or run is None or run.bidirectional or run.steps < 3:
            continue
        lane = 0
        sample = max(0, (seen.lane_samples.get(run.index) or [0])[lane])
        length = seen.length_of(run, sample)
        if length < 3 or not _reversed(seen, source.tensor[:, lane], place, sample, length):
            continue
        for reader in seen.readers:
            if reader.kind in ("h_0", "c_0") or reader.time_axis is None:
                continue
            if reader.run is not None and reader.run.index <= run.index:
                continue
            if reader.positions < length or reader.samples <= sample:
                continue
            taken = []
            for position in range(length):
                who = seen.lane_of(reader.run, sample) if reader.run is not None else sample
                amounts = reader.reach(who, position).outputs.get(run.index)
                taken.append([] if amounts is None else significant(amounts[:, lane].sum(1)))
            if all(found == [position] for position, found in enumerate(taken)):
                beside = any(
                    other is not run and other.index in reader.reach(sample, 0).runs
                    for other in seen.runs
                )
                own = any(
                    place in reader.reach(sample, position).entries for position in range(length)
                )
                if not beside and not own and reader.kind == "input":
                    continue  # a stack that reads in that direction throughout
                yield finding(
                    "M24",
                    "error",
                    run.module,
                    "RF",
                    f"{run.module or 'The layer'} reads the input from its end, and {reader.name} "
                    f"takes its output at step 0 for step 0 of the input, though it has read step "
                    f"{length - 1} only.",
                    f"The output of {run.module or 'the layer'} stands in reversed "
                    f"order and is put "
                    "beside steps that are not.",
                    "output = output.flip(1)  # back into the order of the input",
                    step=0,
                    step_read=length - 1,
                )
                return


def _reversed(seen: Observation, steps: torch.Tensor, place: int, sample: int, length: int) -> bool:
    """Whether the steps that a layer reads are those of a sample from the last to the first."""
    order = []
    for step in range(min(length, steps.shape[0])):
        amounts = seen.cut.flow.of(steps[step]).entries.get(place)
        found = [] if amounts is None else significant(amounts[sample])
        if len(found) != 1:
            return False
        order.append(found[0])
    return order in (list(range(length))[::-1], list(range(len(order)))[::-1]) and length > 1


def thrown_away(seen: Observation) -> Iterator[Finding]:
    """M30: final states that nobody reads while a decoder starts from something else.

    Args:
        seen: the model.
    """
    read: set[int] = set()
    for reader in seen.readers:
        reach = reader.flow.of(reader.tensor)
        read |= {index for index, _ in reach.finals}
    starts = {r.run.index: r for r in seen.layer_readers if r.kind == "h_0" and r.run is not None}
    for run in seen.runs:
        calls = seen.calls[run.module]
        if run.index in read or run.single or run.steps < 2 or len(calls) > 1:
            continue
        for later in seen.runs[run.index + 1 :]:
            if later.module == run.module or seen.calls[later.module][0] is not later:
                continue
            into = starts[later.index].flow.of(starts[later.index].tensor)
            if into.runs or into.entries or not _decodes(seen, run, later):
                continue
            yield finding(
                "M30",
                "note",
                run.module,
                "RF",
                f"No result depends on hidden_state of {run.module or 'the layer'} "
                f"(its gradient is 0), and {later.module or 'the decoder'} starts from "
                + ("a learned vector." if bool((later.h_0 != 0).any()) else "zeros."),
                f"The final states of {run.module or 'the encoder'} are computed and "
                f"thrown away; the "
                "decoder begins with no word of what was read.",
                "output, hidden_state = encoder(x)\ndecoder(y, bridge(hidden_state))",
                gradient=0.0,
            )
            return


def _decodes(seen: Observation, encoder: LayerRun, decoder: LayerRun) -> bool:
    """Whether a later layer decodes what an earlier one has read, and is not stacked upon it."""
    calls = seen.calls[decoder.module]
    direct = False
    for call in calls:
        reader = seen.reader(call, "input")
        if reader is not None and encoder.index in reader.flow.of(reader.tensor).runs:
            direct = True
    together = any(
        encoder.index in reach.runs and any(call.index in reach.runs for call in calls)
        for reach in (reader.flow.of(reader.tensor) for reader in seen.results)
    )
    if not direct and not together:
        return False
    if len(calls) > 1 and all(call.steps == 1 for call in calls):
        return True
    own = _entries_of(seen, decoder) - _entries_of(seen, encoder)
    return bool(own)


def _entries_of(seen: Observation, run: LayerRun) -> set[int]:
    reader = seen.reader(run, "input")
    return set() if reader is None else set(reader.flow.of(reader.tensor).entries)


def _bidirectional_or_tell(seen: Observation) -> Iterator[Finding]:
    if seen.examples.entries and all(
        entry.steps is not None and entry.steps < 3 for entry in seen.examples.entries
    ):
        raise CannotTell("the example has fewer than three steps; give a longer one")
    yield from sees_the_future(seen)


CHECKS = (
    Check("M16", lost_cell),
    Check("M17", not_fed_back),
    Check("M18", _bidirectional_or_tell),
    Check("M24", not_turned_back),
    Check("M30", thrown_away),
)
