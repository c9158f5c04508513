"""`unrolled.diagnose`: runs a model under watch and says which of its states are misread."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from ._check import CannotTell, Check, finding
from ._checks import CHECKS
from ._examples import Examples, read_examples, with_batch_dim
from ._finding import Finding, UnrunCheck
from ._observation import FAR, Observation, significant
from ._patient import Patient, stillness
from ._precedence import told
from ._reading import Reading
from ._recorder import OutOfTime
from ._report import Report
from ._shorter import shorter
from ._trial import Runner, Trial, deadline_in, is_finite

SECONDS_PER_CHECK = 10.0
WITHOUT_A_RUN = frozenset({"M27"})
"""What can be seen on a model that does not run."""


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
        checks: codes to look for, such as `["M01", "M10"]`; all when absent.
        seconds_per_check: a check that takes longer is left and said to be.

    Returns:
        What was found, what could not be looked for and why, and what was assumed.

    Raises:
        UsageError: an argument is not of its kind, or no check has such a code.
    """
    begun = time.monotonic()
    chosen = _chosen(module, checks, seconds_per_check)
    name = type(module).__name__
    patient = Patient(module)
    said: list[str] = list(patient.assumptions)
    findings: list[Finding] = []
    unrun: list[UnrunCheck] = []
    run: list[str] = []
    seen, why = _observed(
        patient,
        example_inputs,
        dict(keywords or {}),
        {"lengths": lengths, "batch_dim": batch_dim, "time_dim": time_dim},
        seconds_per_check,
        said,
        target is not None,
    )
    if isinstance(why, Finding):
        if why.code in {check.code for check in chosen}:
            findings.append(why)
            run.append(why.code)
        why = f"the model raised: {why.evidence.text}"
    if seen is not None:
        seen.target = target
        if not seen.runs:
            said.append(
                "No recurrent layer ran: the model has no RNN, GRU or LSTM of "
                "torch.nn or unrolled.nn, "
                "or its call does not reach one. There was nothing to find."
            )
    for check in chosen:
        if check.code in run:
            continue
        if seen is None and check.code not in WITHOUT_A_RUN:
            unrun.append(UnrunCheck(check.code, str(why)))
            continue
        found, reason = _looked(check, seen, patient, seconds_per_check)
        findings += found
        if reason is None:
            run.append(check.code)
        else:
            unrun.append(UnrunCheck(check.code, reason))
    return Report(
        model=name,
        findings=told(findings),
        not_run=tuple(unrun),
        assumptions=tuple(dict.fromkeys(said)),
        checks_run=tuple(sorted(run)),
        seconds=time.monotonic() - begun,
    )


def _chosen(module: Any, codes: Iterable[str] | None, seconds: float) -> list[Check]:
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"diagnose takes a torch.nn.Module and got a {type(module).__name__}; give the model "
            "itself, then the inputs of one call"
        )
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise UsageError(f"seconds_per_check is {seconds!r}; it must be a number above 0")
    if codes is None:
        return list(CHECKS)
    wanted = [codes] if isinstance(codes, str) else list(codes)
    known = {check.code for check in CHECKS}
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise UsageError(f"no check has the code {unknown[0]!r}; they are M01 to M30")
    return [check for check in CHECKS if check.code in wanted]


def _observed(
    patient: Patient,
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    hints: dict[str, Any],
    seconds: float,
    said: list[str],
    with_target: bool,
    reading: Reading | None = None,
) -> tuple[Observation | None, str | Finding | None]:
    """The model after its first runs, or why there are none."""
    if not args and not keywords:
        return None, (
            "no example inputs were given; give those of one call, a batch of at "
            "least three samples"
        )
    failure: str | Finding | None = None
    reading = Reading.of(patient.original) if reading is None else reading
    for dtype in (torch.float64, torch.float32):
        if dtype is torch.float32:
            patient.single()
        examples = read_examples(args, keywords, dtype=dtype, reading=reading, **hints)
        # A target fits the examples as they are.
        for tried in [examples] if with_target else shorter(examples):
            try:
                seen = _first_runs(patient, tried, hints, seconds)
                other = reading.after(seen)
            except OutOfTime:
                return None, (
                    f"one call took longer than {seconds:g} seconds; give smaller "
                    f"examples or a larger "
                    "seconds_per_check"
                )
            except Exception as reason:
                # The full example speaks: a shorter one may be what the model refuses.
                failure = _failure(patient, tried, reason)
                continue
            if other is not None:
                return _observed(patient, args, keywords, hints, seconds, said, with_target, other)
            if dtype is torch.float32:
                said.append(
                    "The model runs in single precision only, so that it was looked at in that."
                )
            said += seen.examples.assumptions
            if not is_finite(seen.whole.results):
                return None, (
                    "the model gave numbers that are not finite; give a model and examples whose "
                    "results are"
                )
            return seen, None
    return None, failure


def _first_runs(
    patient: Patient, examples: Examples, hints: dict[str, Any], seconds: float
) -> Observation:
    runner = Runner(patient, deadline_in(seconds))
    cut = runner.run(examples, cutting=True)
    whole = runner.run(examples, cutting=False)
    seen = Observation(cut.model, examples, runner, cut, whole)
    if hints["batch_dim"] is None and hints["time_dim"] is None and _time_major(seen):
        other = with_batch_dim(examples, 1)
        cut, whole = runner.run(other, cutting=True), runner.run(other, cutting=False)
        return Observation(cut.model, other, runner, cut, whole)
    return seen


def _time_major(seen: Observation) -> bool:
    """Whether the model keeps samples apart only if dimension 1 is the batch."""
    main = seen.main
    if main is None or main.packed is not None or main.batch_dim != 0 or main.time_dim != 1:
        return False
    if seen.examples.lengths_leaf is not None or seen.examples.mask_leaf is not None:
        return False
    if main.kind == "floats" and main.tensor.dim() != 3:
        return False
    if any(e.steps is None or e.packed is not None for e in seen.examples.entries):
        return False
    first = seen.runs[0] if seen.runs else None
    if first is None or first.single or first.packed or not first.steps_first:
        return False
    if (first.steps, first.lanes) != (main.batch, main.steps):
        return False
    if min(first.steps, first.lanes) < 2:
        return False
    other = _kept_apart(seen.whole, with_batch_dim(seen.examples, 1))
    own = _kept_apart(seen.whole, seen.examples)
    # Symbols come batch first unless the model shows otherwise; of floats the layer's word counts.
    return other and (main.kind == "floats" or not own) and not _symmetrical_ids(seen)


def _symmetrical_ids(seen: Observation) -> bool:
    """Whether each result holds both the dimensions of symbols, so that either may be the batch."""
    main = seen.main
    if main is None or main.kind != "ids":
        return False
    both = tuple(main.tensor.shape[:2])
    return any(tuple(result.shape[:2]) == both for result in seen.whole.results)


def _kept_apart(trial: Trial, examples: Examples) -> bool:
    """Whether some axis of each result goes with the samples and holds each alone."""
    main = examples.main
    if main is None:
        return False
    place = examples.entries.index(main)
    flow = trial.flow
    before, flow.examples = flow.examples, examples
    lookups = flow.keys
    try:
        from ._flow import Flow

        other = Flow(trial.recorder, examples, flow.roots, trial.results)
        for result in trial.results:
            apart = False
            for axis, size in enumerate(result.shape):
                if size != main.batch:
                    continue
                alone = True
                for index in range(size):
                    reach = other.of(result.narrow(axis, index, 1)).entries.get(place)
                    found = [] if reach is None else significant(reach.sum(1), FAR)
                    alone = alone and found == [index]
                apart = apart or alone
            if not apart:
                return False
        return bool(trial.results)
    finally:
        flow.examples, flow.keys = before, lookups


_SIZES = re.compile(r"[Ee]xpected hidden(?:\[\d\])? size \(([\d, ]+)\), got \[([\d, ]+)\]")


def _failure(patient: Patient, examples: Examples, reason: Exception) -> str | Finding:
    """What a model's own exception says."""
    text = str(reason).strip().splitlines()
    first = text[0] if text else "no message"
    sizes = _SIZES.search(str(reason))
    if sizes:
        wanted = [int(n) for n in sizes[1].split(",")]
        got = [int(n) for n in sizes[2].split(",")]
        if len(got) == 3 and got == [wanted[1], wanted[0], wanted[2]]:
            place = _raising_place(patient, examples)
            named = place or "the layer"
            return finding(
                "M26",
                "error",
                place,
                "HOOK",
                f"h_0 of {named} is {tuple(got)}, and the layer takes (layer, batch, "
                f"hidden), which is "
                f"{tuple(wanted)}.",
                f"h_0 of {named} is laid out (batch, layer, hidden).",
                "h_0 = h_0.transpose(0, 1).contiguous()  # (layer, batch, hidden)",
                got=str(tuple(got)),
                expected=str(tuple(wanted)),
            )
    return (
        f"the model raised {type(reason).__name__} on the examples ({first}); give the "
        f"inputs of a call "
        "that works"
    )


def _raising_place(patient: Patient, examples: Examples) -> str:
    """The submodule that was running when the model raised."""
    model = patient.fresh()
    places: list[str] = []
    handles = []
    for name, module in model.named_modules():

        def entered(_: Any, __: Any, name: str = name) -> None:
            places.append(name)

        if isinstance(module, nn.RNNBase) or name:
            handles.append(module.register_forward_pre_hook(entered))
    args, keywords = examples.call()
    try:
        with stillness(patient.dtype):
            model(*args, **keywords)
    except Exception:
        return places[-1] if places else ""
    finally:
        for handle in handles:
            handle.remove()
    return ""


def _looked(
    check: Check, seen: Observation | None, patient: Patient, seconds: float
) -> tuple[list[Finding], str | None]:
    """What one check found, or why it could not look."""
    if seen is None:
        runner = Runner(patient, deadline_in(seconds))
        nothing: Any = None
        seen = Observation(patient.original, nothing, runner, nothing, nothing)
    seen.runner.deadline = deadline_in(seconds)
    if seen.cut is not None:
        for trial in (seen.cut, seen.whole):
            trial.recorder.deadline = seen.runner.deadline
    try:
        with stillness(patient.dtype):
            return list(check.look(seen)), None
    except CannotTell as reason:
        return [], f"{reason}."
    except OutOfTime:
        return [], (
            f"it took longer than {seconds:g} seconds; give smaller examples or a larger "
            "seconds_per_check."
        )
    except Exception as reason:
        first = (str(reason).strip().splitlines() or ["no message"])[0]
        return [], (
            f"it met {type(reason).__name__} on this model ({first}); give other "
            f"examples, or leave "
            "this check out."
        )
