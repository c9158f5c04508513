"""`unrolled.diagnose`: runs a model under watch and says which of its states are misread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ._blind_spots import BlindSpots, blind_spots
from ._check import CannotTell, Check
from ._finding import Finding, UnrunCheck
from ._first_look import first_look
from ._observation import Observation
from ._patient import Patient, first_line
from ._precedence import told
from ._report import WITHOUT_A_RUN, Report
from ._request import read_request, seconds_above_zero
from ._steadiness import Steadiness, steadiness
from ._stillness import stillness
from ._time_limit import Clock, OutOfTime
from ._trial import Runner

SECONDS_PER_CHECK = 10.0
SECONDS_IN_ALL = 60.0


def diagnose(
    module: nn.Module,
    *example_inputs: Any,
    lengths: Any = None,
    batch_dim: int | None = None,
    time_dim: int | None = None,
    target: Any = None,
    keywords: Mapping[str, Any] | None = None,
    checks: Iterable[str] | None = None,
    seconds_per_check: float = SECONDS_PER_CHECK,
    seconds_in_all: float = SECONDS_IN_ALL,
) -> Report:
    """Find the states that a model misreads, by running it and with no look at its source.

    The model is copied, and the copy is run in evaluation and double precision. The model itself,
    its mode, gradients and hooks and the random states stay as they are.

    Args:
        module: any PyTorch model.
        example_inputs: what it is called with: floats, ids, packed sequences, tuples and dicts
            of them. A batch of at least three samples of four steps or more shows most; lengths
            that differ show the mistakes with padding.
        lengths: real steps of each sample, where no argument says them.
        batch_dim: the dimension of the batch in sequences; found where it is absent.
        time_dim: the dimension of time in sequences; found where it is absent.
        target: what the model should give: for a predictor the symbols that come next, for
            converted weights the output of the other framework.
        keywords: arguments by keyword.
        checks: codes to look for, such as `["M01", "M10"]`, or one code; all when absent.
        seconds_per_check: a check that takes longer is left and said to be; the first runs of the
            model have as much.
        seconds_in_all: when they are over no check is begun any more, and one that runs is left;
            each is said to be.

    Returns:
        What was found, what could not be looked for and why, and what was assumed.

    Raises:
        UsageError: an argument is not of its kind or does not fit the others, or no check has
            such a code.
    """
    clock = Clock(
        seconds_above_zero("seconds_per_check", seconds_per_check),
        seconds_above_zero("seconds_in_all", seconds_in_all),
    )
    request = read_request(
        module,
        example_inputs,
        keywords=keywords,
        lengths=lengths,
        batch_dim=batch_dim,
        time_dim=time_dim,
        target=target,
        checks=checks,
    )
    with torch.inference_mode(False), torch.enable_grad():
        patient = Patient(request.module)
        first = first_look(patient, request, clock)
        said = list(patient.assumptions)
        if isinstance(first, Observation):
            said += first.examples.assumptions
            findings, run, unrun = _checked(first, request.checks, clock, said)
        else:
            findings, run, unrun = _unseen(first, patient, request.checks, clock)
    return Report(
        model=type(patient.original).__name__,
        findings=told(findings),
        not_run=tuple(unrun),
        assumptions=tuple(dict.fromkeys(said)),
        checks_run=tuple(sorted(run)),
        seconds=clock.passed,
    )


_Looked = tuple[list[Finding], list[str], list[UnrunCheck]]


def _checked(
    seen: Observation, checks: tuple[Check, ...], clock: Clock, said: list[str]
) -> _Looked:
    """What the checks find in a model that has run."""
    findings: list[Finding] = []
    run: list[str] = []
    unrun: list[UnrunCheck] = []
    steady, blind = _steady(seen, clock), _blind(seen, clock)
    said += [line for line in (steady.said, *blind.lines) if line is not None]
    for check in checks:
        reason = steady.why_not(check.code)
        found: list[Finding] = []
        if reason is None:
            found, reason = _looked(check, seen, clock)
        findings += found
        if reason is None and not found:
            reason = blind.unrun.get(check.code)
        if reason is None:
            run.append(check.code)
        else:
            unrun.append(UnrunCheck(check.code, reason))
    return findings, run, unrun


def _unseen(
    why: Finding | str, patient: Patient, checks: tuple[Check, ...], clock: Clock
) -> _Looked:
    """What can be said of a model that could not be run."""
    findings: list[Finding] = []
    run: list[str] = []
    unrun: list[UnrunCheck] = []
    sentence = f"the model raised: {why.evidence.text}" if isinstance(why, Finding) else why
    for check in checks:
        if isinstance(why, Finding) and check.code == why.code:
            findings.append(why)
            run.append(check.code)
        elif check.code in WITHOUT_A_RUN:
            nothing: Any = None
            runner = Runner(patient, clock.deadline())
            unseen = Observation(patient.original, nothing, runner, nothing, nothing)
            findings += check.look(unseen)
            run.append(check.code)
        else:
            unrun.append(UnrunCheck(check.code, f"{sentence}."))
    return findings, run, unrun


def _steady(seen: Observation, clock: Clock) -> Steadiness:
    """How steady the model is; as far as is known where that takes too long or fails."""
    seen.runner.deadline = clock.deadline()
    try:
        return steadiness(seen)
    except OutOfTime:
        return Steadiness(0.0, 0.0)  # the checks will say that they have no time
    except (Exception, SystemExit):
        return Steadiness(math.inf, math.inf)


def _blind(seen: Observation, clock: Clock) -> BlindSpots:
    seen.cut.recorder.deadline = clock.deadline()
    try:
        return blind_spots(seen)
    except OutOfTime:
        return BlindSpots((), {})


def _looked(check: Check, seen: Observation, clock: Clock) -> tuple[list[Finding], str | None]:
    """What one check found, or why it could not look."""
    if clock.over:
        return [], clock.why_left()
    seen.runner.deadline = clock.deadline()
    for trial in (seen.cut, seen.whole):
        trial.recorder.deadline = seen.runner.deadline
    try:
        with stillness(seen.runner.patient.dtype):
            return list(check.look(seen)), None
    except CannotTell as reason:
        return [], f"{reason}."
    except OutOfTime:
        return [], clock.why_left()
    except (Exception, SystemExit) as reason:
        return [], (
            f"it met {first_line(reason)} on this model; give other examples, or leave this check "
            "out."
        )
