"""M07, M08, M09: an axis of the input taken for another."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._history_checks import starts_moved
from ._layer_run import LayerRun
from ._observation import Observation, Reader
from ._sample_sources import leads_to, states_viewed, swapped_source


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
        before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
        if len(before) != len(after) or len(before) < 3 or not reshape.before.is_floating_point():
            continue
        apart = [k for k in range(len(before)) if before[k] != after[k]]
        if len(apart) != 2 or 1 in (before[apart[0]], before[apart[1]]):
            continue
        if before[apart[0]] != after[apart[1]] or states_viewed(seen, reshape) is not None:
            continue
        for reader in seen.layer_readers:
            if reader.kind == "input" and reader.run and leads_to(reshape.after, reader.run.input):
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
