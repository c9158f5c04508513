"""M01, M02, M12, M29: a state taken for the last one that is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from ._check import CannotTell, Check, finding
from ._entry import Entry
from ._examples import Examples
from ._finding import Finding
from ._layer_run import LayerRun
from ._observation import FAR, Observation, Reader, significant
from ._operations import Pick
from ._reverse_end import reverse_finding


def taken_steps(
    seen: Observation, reader: Reader, run: LayerRun, direction: int
) -> list[int] | None:
    """The one step of `output` that each sample takes of a direction; None where it takes more.

    Args:
        seen: the model.
        reader: who takes.
        run: whose output.
        direction: 0 forward, 1 reverse.
    """
    found = []
    for sample in range(reader.samples):
        amounts = reader.reach(sample).outputs.get(run.index)
        if amounts is None:
            return None
        lane = seen.lane_of(run, sample)
        steps = significant(amounts[:, lane, direction])
        if len(steps) != 1:
            return None
        found.append(steps[0])
    return found


def _summaries(seen: Observation, run: LayerRun) -> Iterator[Reader]:
    """Who may take one state for a whole sample."""
    for reader in seen.readers:
        if reader.run is not None and reader.run.index <= run.index:
            continue
        if reader.samples != run.lanes or reader.batch_axis is None:
            continue
        if reader.kind != "result" or not _is_part(seen, reader):
            yield reader


def _is_part(seen: Observation, reader: Reader) -> bool:
    """Whether a result is a piece of another one, such as the last of the tags beside all."""
    own = reader.tensor.detach()
    return any(
        other.tensor.numel() > own.numel() and bool(torch.isin(own, other.tensor.detach()).all())
        for other in seen.results
    )


def _shown(steps: list[int]) -> str:
    return ", ".join(map(str, steps[:6])) + (" …" if len(steps) > 6 else "")


def reverse_last(seen: Observation, code: str) -> Iterator[Finding]:
    """The reverse half of `output` taken at the end of the sample.

    Args:
        seen: the model.
        code: M01, M02 or M29.
    """
    looked = False
    for run in seen.runs:
        if not run.bidirectional or run.steps < 2:
            continue
        looked = True
        known = False
        for reader in _summaries(seen, run):
            steps = taken_steps(seen, reader, run, 1)
            if steps is None or len(steps) != reader.samples:
                continue
            ends = [seen.length_of(run, sample) - 1 for sample in range(reader.samples)]
            told = code_of_reverse(seen, run, reader, steps, ends)
            known = known or told is not None
            if told != code:
                continue
            name = run.module or "the layer"
            which = (
                f"output at step {steps[0]}"
                if len(set(steps)) == 1
                else f"output at steps {_shown(steps)} of its samples"
            )
            taken = f"{reader.name} takes {which} of {name}"
            yield reverse_finding(code, taken, seen, run, steps, ends)
            break
        if not known:
            yield from _picked_last(seen, run, code)
    if not looked and not any(run.bidirectional for run in seen.runs):
        return
    if not looked:
        raise CannotTell("every sequence has one step, so that its first and last state are one")


def _picked_last(seen: Observation, run: LayerRun, code: str) -> Iterator[Finding]:
    """The last step of `output` picked by itself, and used among other things.

    As where it asks an attention that reads every step. A layer whose steps are picked one after
    the other is none of it, nor one whose first step is picked too.
    """
    found: dict[tuple[int, ...], list[Pick]] = {}
    for pick in seen.cut.recorder.operations.picks:
        steps = _picked_steps(seen, run, pick)
        if steps is not None:
            found.setdefault(steps, []).append(pick)
    if len(found) != 1:
        return
    (steps, picks), name = found.popitem(), run.module or "the layer"
    ends = [length - 1 for length in _lane_lengths(seen, run)]
    if code not in _codes_of_steps(run, list(steps), ends):
        return
    users = [r for r in seen.readers if r.kind != "result" or not _is_part(seen, r)]
    reader = next((r for r in users for p in picks if _uses(r, run, p)), None)
    if reader is None:
        return
    where = f"step {steps[0]}" if len(set(steps)) == 1 else f"steps {_shown(list(steps))}"
    taken = f"output of {name} is taken at {where} by itself, and {reader.name} is made of it"
    yield reverse_finding(code, taken, seen, run, list(steps), ends)


def _lane_lengths(seen: Observation, run: LayerRun) -> list[int]:
    samples = seen.lane_samples.get(run.index, [])
    known = [samples[k] if k < len(samples) and samples[k] >= 0 else k for k in range(run.lanes)]
    return [seen.length_of(run, sample) for sample in known]


def _picked_steps(seen: Observation, run: LayerRun, pick: Pick) -> tuple[int, ...] | None:
    """By lane the one step that a pick takes of the reverse half; None where it takes others."""
    if run.output is None or pick.part.shape[-1] > 2 * run.output.shape[-1]:
        return None
    amounts = seen.cut.flow.of(pick.part).outputs.get(run.index)
    if amounts is None:
        return None
    steps = [significant(amounts[:, lane, 1]) for lane in range(run.lanes)]
    return tuple(one[0] for one in steps) if all(len(one) == 1 for one in steps) else None


def _uses(reader: Reader, run: LayerRun, pick: Pick) -> bool:
    """Whether a reader is made of the reverse half of what was picked."""
    if run.output is None or (reader.run is not None and reader.run.index <= run.index):
        return False
    if not reader.tensor.requires_grad:
        return False
    (into,) = torch.autograd.grad(
        reader.tensor,
        pick.part,
        torch.rand_like(reader.tensor),
        retain_graph=True,
        allow_unused=True,
    )
    if into is None:
        return False
    (back,) = torch.autograd.grad(
        pick.part, run.output, into.abs(), retain_graph=True, allow_unused=True
    )
    return back is not None and bool((run.halves(back.abs())[:, :, 1] > 0).any())


def code_of_reverse(
    seen: Observation, run: LayerRun, reader: Reader, steps: list[int], ends: list[int]
) -> str | None:
    """Which mistake it is to take the reverse half at these steps.

    Args:
        seen: the model.
        run: whose reverse half.
        reader: who takes it.
        steps: taken, by sample.
        ends: last real steps, by sample.
    """
    if all(step == 0 for step in steps):
        return None
    if _same_symbol(seen, steps) and _follows_symbol(seen, run, reader, steps):
        return "M29"
    return next(iter(_codes_of_steps(run, steps, ends)), None)


def _codes_of_steps(run: LayerRun, steps: list[int], ends: list[int]) -> list[str]:
    """Which mistake it is by the steps alone."""
    if run.steps > 1 and all(step == run.steps - 1 for step in steps):
        return ["M01"]
    return ["M02"] if steps == ends and any(steps) else []


def _same_symbol(seen: Observation, steps: list[int]) -> bool:
    """Whether one symbol, the END, stands at these steps and nowhere before them."""
    main = seen.main
    if main is None or main.kind != "ids" or main.ids().dim() != 2:
        return False
    ids = main.ids()
    if len(steps) != len(ids) or max(steps) >= ids.shape[1]:
        return False
    symbols = ids[torch.arange(len(steps)), torch.tensor(steps)]
    if len(set(symbols.tolist())) != 1:
        return False
    return all(int(symbols[0]) not in ids[row, :step].tolist() for row, step in enumerate(steps))


def _follows_symbol(seen: Observation, run: LayerRun, reader: Reader, steps: list[int]) -> bool:
    """Whether the step that is taken moves when the END of a sample is moved."""
    main = seen.main
    if main is None or main.batch_dim is None or main.time_dim is None:
        return False
    sample = max(range(len(steps)), key=lambda k: steps[k])
    if steps[sample] < 2:
        return False
    ids = main.tensor.clone()
    moved = ids.movedim((main.batch_dim, main.time_dim), (0, 1))
    here, there = steps[sample], steps[sample] - 2
    end = moved[sample, here].clone()
    moved[sample, here] = moved[sample, there]
    moved[sample, there] = end
    try:
        again = seen.runner.run(seen.examples, changed={main.leaf: ids})
    except Exception:
        return True  # the model cannot do without END where it was
    other = Observation(again.model, _with_ids(seen.examples, main, ids), seen.runner, again, again)
    for one in other.readers:
        if one.name == reader.name and one.kind == reader.kind:
            amounts = one.reach(sample).outputs.get(run.index)
            if amounts is None:
                return False
            lane = seen.lane_of(run, sample)
            return significant(amounts[:, lane, 1]) != [here]
    return False


def _with_ids(examples: Examples, main: Entry, ids: torch.Tensor) -> Examples:
    entries = tuple(replace(e, tensor=ids) if e is main else e for e in examples.entries)
    return replace(examples, entries=entries)


def off_by_one(seen: Observation) -> Iterator[Finding]:
    """The last real symbol dropped, or the first pad read.

    Args:
        seen: the model.
    """
    main, place = seen.main, seen.main_place
    if main is None or place is None or not seen.runs or (main.steps or 0) < 3:
        return
    steps = int(main.steps or 0)
    lengths = list(seen.examples.lengths or [steps] * seen.batch)
    if seen.examples.padded_left or min(lengths) < 1:
        return
    for reader in seen.whole_results:
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        if reader.time_axis is not None and reader.positions in (steps, steps - 1, max(lengths)):
            continue
        lasts = []
        for sample in range(reader.samples):
            amounts = reader.reach(sample).entries.get(place)
            found = significant(amounts[sample], FAR) if amounts is not None else []
            lasts.append(found[-1] if found else -9)
        early = all(
            last == length - 2 for last, length in zip(lasts, lengths, strict=True) if length > 1
        )
        short = [k for k, length in enumerate(lengths) if length < steps]
        late = bool(short) and all(lasts[k] == lengths[k] for k in short)
        apart = len({lengths[k] for k in short}) > 1 or any(lengths[k] < steps - 1 for k in short)
        if not early and not (late and apart):
            continue
        if early and _last_symbol_counts(seen, reader, lengths):
            continue
        run = _reading_run(seen)
        what = "never reads the last real symbol" if early else "reads the first pad"
        sample = short[0] if late else 0
        yield finding(
            "M12",
            "error",
            run.module,
            "RF",
            f"{reader.name} {what}: sample {sample} has {lengths[sample]} real steps, and what it "
            f"depends on ends at step {lasts[sample]} and not at step {lengths[sample] - 1}.",
            f"The state of {run.module or 'the layer'} is taken one step "
            f"{'early' if early else 'late'}: the last real step is length - 1.",
            "last = output[torch.arange(batch), lengths - 1]  # the last real step",
            sample=sample,
            length=lengths[sample],
            last_step_read=lasts[sample],
        )
        return


def _last_symbol_counts(seen: Observation, reader: Reader, lengths: list[int]) -> bool:
    """Whether another last symbol gives another result, as where it is what is predicted."""
    main = seen.main
    if main is None or main.kind != "ids" or main.batch_dim is None or main.time_dim is None:
        return False
    place = next(k for k, one in enumerate(seen.whole_results) if one is reader)
    symbols = torch.unique(main.tensor)
    moved = main.tensor.clone()
    rows = moved.movedim((main.batch_dim, main.time_dim), (0, 1))
    if rows.dim() != 2:
        return False
    for sample, length in enumerate(lengths):
        others = symbols[(symbols != rows[sample, length - 1]) & (symbols != 0)]
        if len(others):
            rows[sample, length - 1] = others[sample % len(others)]
    try:
        results = seen.runner.plain(seen.examples, {main.leaf: moved})
    except Exception:
        return False  # such symbols the model does not take: nothing to compare
    own, other = reader.tensor.detach(), results[place]
    return own.shape == other.shape and not torch.allclose(own, other, rtol=1e-9, atol=1e-12)


def _reading_run(seen: Observation) -> LayerRun:
    """The run that reads the first sequence and whose states the results are made of."""
    readers = seen.readers_of_main
    for reader in seen.results:
        for index in sorted(reader.reach(0).runs & readers):
            return seen.runs[index]
    return seen.runs[min(readers, default=0)]


CHECKS = (
    Check("M01", lambda seen: reverse_last(seen, "M01")),
    Check("M02", lambda seen: reverse_last(seen, "M02")),
    Check("M12", off_by_one),
    Check("M29", lambda seen: reverse_last(seen, "M29")),
)
