"""M07, M08, M09: an axis of the input taken for another."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._history_checks import starts_moved
from ._layer_run import LayerRun, Reshape
from ._observation import Observation, Reader
from ._sample_sources import leads_to, states_viewed, swapped_source
from ._views_scrambling import advanced_axis, in_order, left_behind, swapped_axes


def forgotten_batch_first(seen: Observation) -> Iterator[Finding]:
    """M07: the layer runs over the batch.

    Args:
        seen: the model.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    if _one_step_read(seen):
        return
    for reader in seen.layer_readers:
        if reader.kind != "input" or reader.run is None:
            continue
        source = swapped_source(seen, reader)
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
        if not reshape.before.is_floating_point():
            continue
        swapped, advanced = swapped_axes(reshape), advanced_axis(reshape)
        if (swapped or advanced) is None or states_viewed(seen, reshape) is not None:
            continue
        for reader in seen.layer_readers:
            if reader.kind != "input" or not reader.run:
                continue
            if not leads_to(reshape.after, reader.run.input):
                continue
            if swapped is not None and not in_order(seen, reader):
                yield _scrambled(
                    reshape, reader.run, f"x = x.transpose({swapped[0]}, {swapped[1]})"
                )
                return
            if advanced is not None and left_behind(seen, reshape, advanced[1], reader):
                ahead, axis = advanced
                repair = f"x = x.movedim({axis}, {ahead}).flatten({ahead + 1})"
                yield _scrambled(reshape, reader.run, repair)
                return


def _scrambled(reshape: Reshape, run: LayerRun, repair: str) -> Finding:
    before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
    named = run.module or "the layer"
    return finding(
        "M08",
        "error",
        run.module,
        "RF",
        f"On its way into {named} a tensor of {before} was viewed as {after}: step 1 of a sample "
        "no longer holds step 1 of that sample.",
        "view keeps the order of the numbers and only cuts them elsewhere, so that time and "
        f"features are scrambled before {named} reads them.",
        repair,
        before=before,
        after=after,
    )


def one_step(seen: Observation) -> Iterator[Finding]:
    """M09: a layer that is run for one step, once.

    Args:
        seen: the model.
    """
    if _one_step_read(seen):
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
        if _goes_on(seen, run):
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


def _one_step_read(seen: Observation) -> bool:
    """Whether an input of one step is read as a sequence; one that starts a layer is none."""
    short = {place for place, entry in enumerate(seen.examples.entries) if entry.steps == 1}
    if not short or seen.main_place in short:
        return bool(short)
    readers = [r for r in seen.layer_readers if r.kind == "input"]
    return any(short & r.flow.of(r.tensor).entries.keys() for r in readers)


def _goes_on(seen: Observation, run: LayerRun) -> bool:
    """Whether a run is one step of a stream: its last state is the start of the next call.

    The caller carries it where the model gives it back and takes one, which the example leaves out;
    or the model keeps it.
    """
    if _takes_more(seen) and any(_is_state(reader, run) for reader in seen.results):
        return True
    return seen.runner.patient.copied and starts_moved(*seen.two_calls) is not None


def _is_state(reader: Reader, run: LayerRun) -> bool:
    """Whether a result is the last state of a run as it is, laid out in any way."""
    own, last = reader.tensor.detach(), run.h_n.detach()
    return own.numel() == last.numel() and bool(torch.isin(own, last).all())


def _takes_more(seen: Observation) -> bool:
    """Whether the model can be called with more than the example gives it."""
    try:
        parameters = inspect.signature(seen.runner.patient.original.forward).parameters
    except (TypeError, ValueError):
        return False
    args, keywords = seen.examples.call()
    left = list(parameters.values())[len(args) :]
    return any(one.name not in keywords for one in left)


CHECKS = (
    Check("M07", forgotten_batch_first),
    Check("M08", viewed_as_transpose),
    Check("M09", one_step),
)
