"""The first runs of a model: in double precision where it can, on short examples where it can."""

from __future__ import annotations

import torch

from ..errors import UsageError
from ._examples import Examples, with_batch_dim
from ._finding import Finding
from ._model_failure import failure
from ._observation import Observation
from ._patient import Patient
from ._reading import Reading
from ._request import Request
from ._shorter import shorter
from ._time_limit import Clock, OutOfTime
from ._time_major import time_major
from ._trial import Runner, is_finite

NO_EXAMPLES = (
    "no example inputs were given; give those of one call, a batch of at least three samples"
)
NOT_FINITE = (
    "the model gave numbers that are not finite; give a model and examples whose results are"
)
SINGLE = "The model runs in single precision only, so that it was looked at in that."


def first_look(patient: Patient, request: Request, clock: Clock) -> Observation | Finding | str:
    """The model after its first runs; or what its own exception shows; or why there are none.

    Args:
        patient: the model.
        request: what to run it on.
        clock: the time that there is.

    Raises:
        UsageError: the examples hold nothing, or the hints do not fit them.
    """
    if patient.refusal is not None:
        return patient.refusal
    if not request.has_examples:
        return NO_EXAMPLES
    return _read_so(patient, request, clock, Reading.of(patient.original))


def _read_so(
    patient: Patient, request: Request, clock: Clock, reading: Reading
) -> Observation | Finding | str:
    """The first look with the arguments read in this way, or in another that a run shows."""
    deadline = clock.deadline()
    said: Finding | str = ""
    for dtype in (torch.float64, torch.float32):
        if dtype is torch.float32:
            patient.single()
            if patient.refusal is not None:
                return patient.refusal
        examples = request.examples(dtype, reading)
        # A target fits the examples as they are.
        for tried in [examples] if request.target is not None else shorter(examples):
            try:
                seen = _runs(patient, tried, request, deadline)
                other = reading.after(seen)
                finite = is_finite(seen.whole.results)
            except OutOfTime:
                if clock.over:
                    return clock.why_left().removesuffix(".")
                return (
                    f"one call took longer than {clock.per_check:g} seconds; give smaller examples "
                    "or a larger seconds_per_check"
                )
            except (Exception, SystemExit) as reason:
                # The full example speaks: a shorter one may be what the model refuses.
                said = failure(patient, tried, reason, deadline)
                continue
            if other is not None:
                return _read_so(patient, request, clock, other)
            if dtype is torch.float32:
                patient.assumptions.append(SINGLE)
            if request.target is not None:
                _check_target(seen, request.target)
                seen.target = request.target
            return seen if finite else NOT_FINITE
    return said


def _runs(patient: Patient, examples: Examples, request: Request, deadline: float) -> Observation:
    runner = Runner(patient, deadline)
    cut = runner.run(examples, cutting=True)
    if runner.trace_ids(examples, cut):
        cut = runner.run(examples, cutting=True)
    whole = runner.run(examples, cutting=False)
    seen = Observation(cut.model, examples, runner, cut, whole)
    if request.says_dims or not time_major(seen):
        return seen
    other = with_batch_dim(examples, 1)
    cut, whole = runner.run(other, cutting=True), runner.run(other, cutting=False)
    return Observation(cut.model, other, runner, cut, whole)


def _check_target(seen: Observation, target: torch.Tensor) -> None:
    """Refuse a target that no check could hold against anything."""
    squeezed = tuple(target.squeeze().shape)
    given = [tuple(result.shape) for result in seen.whole.results]
    fitting = {tuple(result.squeeze().shape) for result in seen.whole.results}
    if target.is_floating_point() and squeezed in fitting:
        return
    symbols = {shape[:-1] for shape in fitting if shape}
    for entry in seen.examples.entries:
        if entry.time_dim is None or entry.packed is not None:
            continue
        for fewer in (0, 1):
            shape = list(entry.tensor.shape)
            shape[entry.time_dim] -= fewer
            symbols |= {tuple(shape), tuple(shape[1::-1] + shape[2:])}
    if squeezed in symbols | {tuple(s for s in shape if s != 1) for shape in symbols}:
        return
    shown = " and ".join(map(str, given)) or "no tensor of floats"
    raise UsageError(
        f"target has the shape {tuple(target.shape)}, but the model gives {shown}; give what the "
        "model should give, or the symbols that come next, or leave target out"
    )
