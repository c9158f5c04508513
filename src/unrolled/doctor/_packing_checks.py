"""M13, M14, M15: what sorting, packing and padding again leave out of place."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._layer_run import LayerRun, PaddedAgain
from ._observation import Observation, Reader, significant
from ._sample_sources import foreign_samples, moved_lanes, sample_axis, sorted_order, swapped_source


def never_unsorted(seen: Observation) -> Iterator[Finding]:
    """M13: rows of the result in the order of their lengths.

    Args:
        seen: the model.
    """
    lengths = seen.examples.lengths
    packed = [run for run in seen.runs if run.packed]
    if not seen.runs:
        return
    if lengths is None or len(set(lengths)) < 2:
        if not packed:
            return
        raise CannotTell("all samples have one length; give lengths that differ, not sorted")
    starts = [r for r in seen.layer_readers if r.kind == "h_0" and r.samples == seen.batch]
    for reader in [*seen.results, *starts]:
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        order = sorted_order(seen, reader) if reader.run is None else moved_lanes(seen, reader)
        if order is None:
            continue
        ordered = [lengths[sample] for sample in order]
        if not packed and ordered not in (sorted(lengths), sorted(lengths, reverse=True)):
            continue  # moved for another reason, as to pair each sample with another
        run = (packed or seen.runs)[0]
        row = next(k for k, sample in enumerate(order) if k != sample)
        yield finding(
            "M13",
            "error",
            run.module,
            "PERM",
            f"Row {row} of {reader.name} is of sample {order[row]}: the rows stand in the order "
            f"{order}, which is that of the lengths.",
            f"The samples were sorted or grouped by length before {run.module or 'the layer'} and "
            "never put back.",
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
            mixing = swapped_source(seen, reader) == ("run", run.index)
        elif reader.batch_axis is not None and reader.samples == seen.batch:
            foreign = foreign_samples(seen, reader)
            mixing = any(("output", run.index) in taken for taken in foreign.values())
            mixing = mixing and sorted_order(seen, reader) is None
        elif reader.tensor.dim() >= 1:
            otherwise = padded.steps_first or padded.packed_steps_first
            mixing = bool(otherwise) and _steps_apart(reader, run)
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
    """Whether the rows of a result are steps of a run; those of padding are made of no state."""
    if reader.tensor.shape[0] != run.steps or run.steps < 2 or reader.tensor.dim() > 2:
        return False
    made = 0
    for step in range(run.steps):
        amounts = reader.flow.of(reader.tensor[step]).outputs.get(run.index)
        if amounts is None:
            continue
        if significant(amounts.sum((1, 2))) != [step]:
            return False
        made += 1
    return made >= 2


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


CHECKS = (
    Check("M13", never_unsorted),
    Check("M14", padded_otherwise),
    Check("M15", cut_to_longest),
)
