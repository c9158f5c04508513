"""M03 to M09, M13, M14, M15, M26: an axis taken for another, samples or layers mixed."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._layer_run import LayerRun, PaddedAgain, Reshape
from ._observation import FAR, Observation, Reader, significant


Source = tuple[str, int]
"""Where a value comes from: `"entry"` with its place, or one of a run's tensors with its index."""


def _leads_to(tensor: torch.Tensor, sink: torch.Tensor) -> bool:
    """Whether a tensor of the run went into another."""
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
    flow = seen.cut.flow
    for axis, size in enumerate(tensor.shape):
        if size != seen.batch:
            continue
        lanes = [_lanes(seen, tensor.narrow(axis, place, 1)) for place in range(size)]
        if all(len(found) == 1 for found in lanes) and len(set.union(*lanes)) == size:
            return axis
    del flow
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


def _swapped_source(seen: Observation, reader: Reader) -> Source | None:
    """The source whose samples are this run's steps, if there is one."""
    run = reader.run
    if run is None or run.packed or run.single:
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


def forgotten_batch_first(seen: Observation) -> Iterator[Finding]:
    """M07: the layer runs over the batch.

    Args:
        seen: the model.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    if any(entry.steps == 1 for entry in seen.examples.entries):
        return
    for reader in seen.layer_readers:
        if reader.kind != "input" or reader.run is None:
            continue
        source = _swapped_source(seen, reader)
        run = reader.run
        if source is None or (source[0] == "run" and _padded_swapped(seen, run.index)):
            continue
        named = run.module or "the layer"
        yield finding(
            "M07",
            "error",
            run.module,
            "HOOK",
            f"Step 1 of {named} reads sample 1 and nothing else, in each of its {run.lanes} lanes: "
            f"it runs {run.steps} steps over the batch of {run.steps}.",
            f"{named} takes its input as (step, batch, input) and is given (batch, "
            f"step, input): the "
            "recurrence runs from sample to sample.",
            "nn.LSTM(input_size, hidden_size, batch_first=True)",
            sample=1,
            step=1,
            steps=run.steps,
            lanes=run.lanes,
        )
        return


def _padded_swapped(seen: Observation, before: int) -> bool:
    """Whether packed output was padded with the axes of the other order."""
    packed = [run for run in seen.runs[:before] if run.packed]
    return bool(packed and seen.cut.recorder.padded)


def viewed_as_transpose(seen: Observation) -> Iterator[Finding]:
    """M08: two axes of the input swapped by `view`.

    Args:
        seen: the model.
    """
    for reshape in seen.cut.recorder.reshapes:
        before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
        if len(before) != len(after) or len(before) < 3 or not reshape.before.is_floating_point():
            continue
        apart = [k for k in range(len(before)) if before[k] != after[k]]
        if len(apart) != 2 or 1 in (before[apart[0]], before[apart[1]]):
            continue
        if before[apart[0]] != after[apart[1]] or states_viewed(seen, reshape) is not None:
            continue
        for reader in seen.layer_readers:
            if reader.kind == "input" and reader.run and _leads_to(reshape.after, reader.run.input):
                run = reader.run
                named = run.module or "the layer"
                yield finding(
                    "M08",
                    "error",
                    run.module,
                    "RF",
                    f"On its way into {named} a tensor of {before} was viewed as "
                    f"{after}: step 1 of "
                    "a sample no longer holds step 1 of that sample.",
                    f"view keeps the order of the numbers and only cuts them "
                    f"elsewhere, so that time "
                    f"and features are scrambled before {named} reads them.",
                    f"x = x.transpose({apart[0]}, {apart[1]})",
                    before=before,
                    after=after,
                )
                return


def _reshape_into(seen: Observation, reader: Reader) -> Reshape | None:
    """The view that mixed the samples of a reader."""
    for reshape in seen.cut.recorder.reshapes:
        if not reshape.before.is_floating_point() or not reshape.after.requires_grad:
            continue
        if not _leads_to(reshape.after, reader.tensor):
            continue
        if sample_axis(seen, reshape.before) is not None and (
            sample_axis(seen, reshape.after) is None
        ):
            return reshape
    return None


def mixed_starts(seen: Observation, code: str) -> Iterator[Finding]:
    """M04, M05, M26: h_0 or c_0 of a lane made of other samples.

    Args:
        seen: the model.
        code: which of them.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    for reader in seen.layer_readers:
        run = reader.run
        if reader.kind not in ("h_0", "c_0") or run is None or reader.samples != seen.batch:
            continue
        foreign = foreign_samples(seen, reader)
        mixed = [lane for lane, taken in foreign.items() if taken]
        if not mixed or _moved_lanes(seen, reader) is not None:
            continue
        reshape = _reshape_into(seen, reader)
        keys = {key for lane in mixed for key in foreign[lane]}
        states = next((key for key in keys if key[0] in ("h_n", "c_n", "output")), None)
        if any(seen.runs[k[1]].module == run.module for k in keys if k[0] != "entry"):
            continue
        found, place = "M04", run.module
        if states is not None:
            viewed = None if reshape is None else states_viewed(seen, reshape)
            if viewed is not None:
                found, place = "M05", viewed.module
            elif reshape is None and not _rows_are_samples(reader):
                found, place = "M05", seen.runs[states[1]].module
        whole = _rows_are_samples(reader)
        if found == "M04" and (whole or (reshape is not None and _by_layer(reshape, reader))):
            found = "M26"
        if found != code:
            continue
        lane = mixed[0]
        others = sorted(set().union(*foreign[lane].values()))
        named = run.module or "the layer"
        explanation = {
            "M04": f"The vector that starts {named} is cut by view into h_0 of (layer, batch, "
            "hidden): neighbouring numbers of one sample become the states of others.",
            "M05": f"The final states of {place or 'the encoder'} are flattened by "
            "view before they "
            f"start {named}: layers and samples lie in another order than the view takes them.",
            "M26": f"{reader.kind} of {named} is laid out (batch, layer, hidden); the "
            "layer takes it "
            "as (layer, batch, hidden).",
        }[found]
        repair = {
            "M04": "h_0 = latent.view(batch, layers, hidden).transpose(0, 1).contiguous()",
            "M05": "h_0 = h_n.view(layers, 2, batch, hidden)\n"
            "h_0 = torch.cat([h_0[:, 0], h_0[:, 1]], dim=-1)  # (layer, batch, 2 * hidden)",
            "M26": "h_0 = h_0.transpose(0, 1).contiguous()  # (layer, batch, hidden)",
        }[found]
        yield finding(
            found,
            "error",
            place,
            "RF",
            f"{reader.name} of sample {lane} is made of sample {others[0]}.",
            explanation,
            repair,
            sample=lane,
            other_sample=others[0],
        )
        return


def _rows_are_samples(reader: Reader) -> bool:
    """Whether row k of h_0 is made of sample k alone, in every lane."""
    rows, lanes = reader.tensor.shape[:2]
    if rows != lanes or rows < 2:
        return False
    for row in range(rows):
        reach = reader.flow.of(reader.tensor[row])
        samples = [set(significant(amounts.sum(1))) for amounts in reach.entries.values()]
        samples += [set(significant(amounts.sum(0))) for amounts in reach.finals.values()]
        samples += [set(significant(amounts.sum((0, 2)))) for amounts in reach.outputs.values()]
        if not samples or any(found != {row} for found in samples):
            return False
    return True


def _by_layer(reshape: Reshape, reader: Reader) -> bool:
    """Whether (batch, layer, hidden) was viewed as (layer, batch, hidden)."""
    before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
    rows, lanes, size = reader.tensor.shape
    return before == (lanes, rows, size) and after == (rows, lanes, size)


def viewed_final_states(seen: Observation) -> Iterator[Finding]:
    """M03: the final states viewed as (batch, …).

    Args:
        seen: the model.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    readers = [*seen.results, *(r for r in seen.layer_readers if r.kind == "input")]
    for reader in readers:
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        foreign = foreign_samples(seen, reader)
        for sample, taken in foreign.items():
            keys = [k for k in taken if k[0] in ("h_n", "c_n") and k[1] >= 0]
            keys = [k for k in keys if not seen.runs[k[1]].single]
            if not keys:
                continue
            kind, index = keys[0]
            run = seen.runs[index]
            if (run.num_layers * run.num_directions) < 2 and not _reshape_into(seen, reader):
                continue
            if _sorted_order(seen, reader) is not None:
                continue
            other = min(taken[keys[0]])
            rows = run.num_layers * run.num_directions
            yield finding(
                "M03",
                "error",
                run.module,
                "RF",
                f"{reader.name} of sample {sample} is made of {kind} of sample {other}.",
                f"{kind} of {run.module or 'the layer'} is (layer and direction, "
                f"batch, hidden), here "
                f"({rows}, {run.lanes}, {run.h_n.shape[-1]}). Viewed as (batch, …) it "
                f"gives a sample "
                "the states of other samples.",
                "summary = h_n.transpose(0, 1).reshape(batch, -1)",
                sample=sample,
                other_sample=other,
            )
            return


def _moved_lanes(seen: Observation, reader: Reader) -> list[int] | None:
    """The sample that starts each lane, where each is one other sample and none comes twice."""
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


def _sorted_order(seen: Observation, reader: Reader) -> list[int] | None:
    """The sample that each row of a result is of, where that is another order and no mixing."""
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


def never_unsorted(seen: Observation) -> Iterator[Finding]:
    """M13: rows of the result in the order of their lengths.

    Args:
        seen: the model.
    """
    lengths = seen.examples.lengths
    packed = [run for run in seen.runs if run.packed]
    if not packed:
        return
    if lengths is None or len(set(lengths)) < 2:
        raise CannotTell("all samples have one length; give lengths that differ, not sorted")
    starts = [r for r in seen.layer_readers if r.kind == "h_0" and r.samples == seen.batch]
    for reader in [*seen.results, *starts]:
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        order = _sorted_order(seen, reader) if reader.run is None else _moved_lanes(seen, reader)
        if order is None:
            continue
        run = packed[0]
        row = next(k for k, sample in enumerate(order) if k != sample)
        yield finding(
            "M13",
            "error",
            run.module,
            "PERM",
            f"Row {row} of {reader.name} is of sample {order[row]}: the rows stand in the order "
            f"{order}, which is that of the lengths.",
            f"The samples were sorted by length before {run.module or 'the layer'} and never put "
            "back.",
            "packed = pack_padded_sequence(x, lengths, enforce_sorted=False)",
            row=row,
            sample=order[row],
        )
        return


def padded_otherwise(seen: Observation) -> Iterator[Finding]:
    """M14: `pad_packed_sequence` gave the steps first where the batch is read first.

    Args:
        seen: the model.
    """
    packed = [run for run in seen.runs if run.packed]
    if not packed or not seen.cut.recorder.padded or seen.batch < 2:
        return
    run = packed[-1]
    padded = seen.cut.recorder.padded[-1]
    for reader in seen.readers:
        if reader.run is not None and (reader.kind != "input" or reader.run.index <= run.index):
            continue
        mixing = False
        if reader.run is not None:
            mixing = _swapped_source(seen, reader) == ("run", run.index)
        elif reader.batch_axis is not None and reader.samples == seen.batch:
            foreign = foreign_samples(seen, reader)
            mixing = any(("output", run.index) in taken for taken in foreign.values())
            mixing = mixing and _sorted_order(seen, reader) is None
        elif reader.tensor.dim() >= 1:
            mixing = padded.steps_first and _steps_apart(reader, run)
        mixing = mixing or _given_otherwise(seen, reader, run, padded)
        if mixing:
            order = "(step, batch, …)" if padded.steps_first else "(batch, step, …)"
            yield finding(
                "M14",
                "error",
                run.module,
                "HOOK",
                f"pad_packed_sequence gave {tuple(padded.result.shape)}, which is {order}; "
                f"{reader.name} takes it for the other order.",
                f"The output of {run.module or 'the layer'} was padded with another "
                f"batch_first than "
                "it is read with: what is taken for a sample is a step.",
                "output, lengths = pad_packed_sequence(packed, batch_first=True)",
                steps_first=padded.steps_first,
            )
            return


def _given_otherwise(seen: Observation, reader: Reader, run: LayerRun, padded: PaddedAgain) -> bool:
    """Whether a result has the axes of a padding that was another one than that of the pack."""
    main = seen.main
    if reader.run is not None or main is None or main.packed is not None:
        return False
    before = padded.packed_steps_first
    if before is None or before == padded.steps_first or main.time_dim is None:
        return False
    if main.batch_dim != (1 if before else 0) or {main.batch_dim, main.time_dim} != {0, 1}:
        return False
    if (reader.batch_axis, reader.time_axis) != (main.time_dim, main.batch_dim):
        return False
    return run.index in reader.reach(0).outputs


def _steps_apart(reader: Reader, run: LayerRun) -> bool:
    """Whether the rows of a result are steps of a run, each of all samples."""
    if reader.tensor.shape[0] != run.steps or run.steps < 2 or reader.tensor.dim() > 2:
        return False
    for step in range(run.steps):
        amounts = reader.flow.of(reader.tensor[step]).outputs.get(run.index)
        if amounts is None or significant(amounts.sum((1, 2))) != [step]:
            return False
    return True


def cut_to_longest(seen: Observation) -> Iterator[Finding]:
    """M15: the result ends at the longest length.

    Args:
        seen: the model.
    """
    lengths, main = seen.examples.lengths, seen.main
    packed = [run for run in seen.runs if run.ragged]
    if lengths is None or main is None or main.packed is not None or not packed:
        return
    longest, steps = max(lengths), int(main.steps or 0)
    if longest >= steps:
        return
    yield from _mask_elsewhere(seen, longest, steps, list(lengths))
    for reader in seen.results:
        if reader.time_axis is not None and reader.positions == longest:
            run = packed[-1]
            yield finding(
                "M15",
                "warning",
                run.module,
                "HOOK",
                f"The input has {steps} steps and {reader.name} has {longest}, the longest length "
                "in this batch.",
                f"pad_packed_sequence cuts the output of {run.module or 'the layer'} "
                f"to the longest "
                "sample, and masks and labels of the input's width no longer fit.",
                "output, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.size(1))",
                steps=steps,
                longest=longest,
            )
            return


def _mask_elsewhere(
    seen: Observation, longest: int, steps: int, lengths: list[int]
) -> Iterator[Finding]:
    """Attention over a cut output whose mask shuts out real steps."""
    for softmax in seen.cut.recorder.softmaxes:
        weights = softmax.weights.detach()
        if weights.shape[softmax.dim] != longest or not softmax.scores.requires_grad:
            continue
        reach = seen.cut.flow.of(softmax.scores)
        runs = [seen.runs[k] for k in sorted(reach.outputs) if seen.runs[k].ragged]
        batch = sample_axis(seen, softmax.scores)
        if not runs or batch is None or batch == softmax.dim:
            continue
        for sample, length in enumerate(lengths):
            real = weights.narrow(batch, sample, 1).narrow(softmax.dim, 0, length)
            shut = (real.movedim(softmax.dim, 0).reshape(length, -1) < 1e-12).all(1)
            if not bool(shut.any()):
                continue
            step = int(shut.double().argmax())
            yield finding(
                "M15",
                "error",
                runs[-1].module,
                "HOOK",
                f"The input has {steps} steps, the output of {runs[-1].module or 'the layer'} "
                f"{longest}; the mask shuts out step {step} of sample {sample}, which has {length} "
                "real steps.",
                f"pad_packed_sequence cuts the output of {runs[-1].module or 'the layer'} to the "
                "longest sample, and the mask of the input's width is laid over it elsewhere.",
                "output, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.size(1))",
                steps=steps,
                longest=longest,
                sample=sample,
                step=step,
            )
            return


def wrong_rows(seen: Observation, code: str) -> Iterator[Finding]:
    """M06 and the layers of M05: which rows of h_n go where.

    Args:
        seen: the model.
        code: M05 or M06.
    """
    for run in seen.runs:
        if not run.bidirectional or run.num_layers < 2:
            continue
        layers = run.num_layers
        for reader in seen.readers:
            if reader.kind == "input" or (reader.run and reader.run.module == run.module):
                continue
            if reader.run is not None and reader.run.index <= run.index:
                continue
            for kind in ("h_n", "c_n"):
                rows = _rows(seen, reader, run, kind)
                found = _misread(rows, layers, reader)
                if found != code:
                    continue
                flat = sorted(set().union(*rows))
                first = ", ".join(map(str, flat))
                yield finding(
                    code,
                    "error",
                    run.module,
                    "ID",
                    f"{reader.name} is made of rows {first} of {kind} of "
                    f"{run.module or 'the layer'}"
                    + (f"; its first row of rows {sorted(rows[0])}." if code == "M05" else "."),
                    f"{kind} lies l0 forward, l0 reverse, l1 forward, l1 reverse: row 2 * layer is "
                    "forward, row 2 * layer + 1 is reverse. "
                    + (
                        f"The first {layers} rows are both directions of the lower layers."
                        if code == "M06"
                        else "The view takes the layers for the directions."
                    ),
                    "forward, reverse = h_n[0::2], h_n[1::2]  # each (layer, batch, hidden)",
                    rows=first,
                )
                return


def _rows(seen: Observation, reader: Reader, run: LayerRun, kind: str) -> list[set[int]]:
    """By row of what starts a layer, or for a result as one row: the rows of the final states."""
    found = []
    parts = list(reader.tensor) if reader.kind in ("h_0", "c_0") else [reader.tensor]
    for part in parts:
        reach = reader.flow.of(part)
        amounts = reach.finals.get((run.index, kind))
        found.append(set() if amounts is None else set(significant(amounts.sum(1))))
    if reader.kind == "result":
        reach = reader.flow.of(reader.tensor)
        if run.index in reach.outputs:
            return []
    return found


def _misread(rows: list[set[int]], layers: int, reader: Reader) -> str | None:
    if not rows or not all(rows):
        return None
    flat = set().union(*rows)
    if reader.kind == "result":
        return "M06" if flat in (set(range(layers)), {layers - 1, 2 * layers - 1}) else None
    if len(rows) == layers and all(found == {k} for k, found in enumerate(rows)):
        return "M06"
    if flat == set(range(layers)) and len(rows) <= layers:
        return "M06"
    if len(rows) == layers and all(found == {k, layers + k} for k, found in enumerate(rows)):
        return "M06"
    return None


def one_step(seen: Observation) -> Iterator[Finding]:
    """M09: a layer that is run for one step, once.

    Args:
        seen: the model.
    """
    if any(entry.steps == 1 for entry in seen.examples.entries):
        raise CannotTell("the example has one step; give a longer one")
    for name, runs in seen.calls.items():
        run = runs[0]
        if len(runs) > 1 or run.steps != 1 or (run.packed and max(run.lengths) > 1):
            continue
        start = seen.reader(run, "h_0")
        if start is not None and (
            start.flow.of(start.tensor).entries
            or start.flow.of(start.tensor).runs
            or bool((run.h_0 != 0).any())
        ):
            continue
        yield finding(
            "M09",
            "warning",
            name,
            "HOOK",
            f"{name or 'The layer'} ran once, over 1 step of {run.lanes} samples, from zeros.",
            f"The recurrence of {name or 'the layer'} is never used: with one step and "
            f"a start from "
            "zeros its recurrent weights change nothing.",
            "x = x.view(batch, steps, features)  # time in its own dimension",
            steps=1,
            lanes=run.lanes,
        )


def rows_or_mixing(seen: Observation) -> Iterator[Finding]:
    """M05 in both its shapes.

    Args:
        seen: the model.
    """
    found = False
    for one in wrong_rows(seen, "M05"):
        found = True
        yield one
    if not found and seen.batch > 1:
        yield from mixed_starts(seen, "M05")


CHECKS = (
    Check("M03", viewed_final_states),
    Check("M04", lambda seen: mixed_starts(seen, "M04")),
    Check("M05", rows_or_mixing),
    Check("M06", lambda seen: wrong_rows(seen, "M06")),
    Check("M07", forgotten_batch_first),
    Check("M08", viewed_as_transpose),
    Check("M09", one_step),
    Check("M13", never_unsorted),
    Check("M14", padded_otherwise),
    Check("M15", cut_to_longest),
    Check("M26", lambda seen: mixed_starts(seen, "M26")),
)
