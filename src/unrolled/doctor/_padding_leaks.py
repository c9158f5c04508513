"""Where padding is read: seen in gradients, and in results that move with the padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from ._attention_checks import attended_padding
from ._layer_run import LayerRun
from ._leak import Leak
from ._observation import FAR, Observation, Reader, significant
from ._other_sequences import by_other_sequences
from ._padding_changed import alone, extended
from ._whole_attention import padding_attended

ROUNDING = 1e-13
"""What is left of a gradient that cancels, as of weights that are masked and divided by their sum.

Padding at the end is near to what reads it, so that no gradient fades to that on the way.
"""


def leaks_of_all(seen: Observation) -> list[Leak]:
    """Where padding is read, of the first sequence or else of another that has some.

    Args:
        seen: the model.
    """
    found = _leaks(seen)
    if found:
        return found
    for other in by_other_sequences(seen):
        name = other.main.name if other.main is not None else ""
        found = [
            replace(leak, text=f"{leak.text} The sample is that of {name}.")
            for leak in _leaks(other)
        ]
        if found:
            return found
    return []


def _leaks(seen: Observation) -> list[Leak]:
    """Where padding of the first sequence is read."""
    main, place, lengths = seen.main, seen.main_place, seen.examples.lengths
    if main is None or place is None or lengths is None or not seen.runs:
        return []
    steps = int(main.steps or 0)
    found: list[Leak] = []
    attention = attended_padding(seen)
    if attention is not None:
        found.append(attention)
    for reader, near in zip(seen.whole_results, seen.results, strict=False):
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        leak = _read_pad(seen, reader, near, place, steps, list(lengths))
        if leak is not None:
            found.append(leak)
            break
    if not found:
        moved = _longer(seen) or _alone(seen)
        if moved is not None:
            found.append(moved)
    if found and attention is None:
        within = padding_attended(seen)
        found += [] if within is None else [within]
    return found


def _read_pad(
    seen: Observation,
    reader: Reader,
    near: Reader,
    place: int,
    steps: int,
    lengths: list[int],
) -> Leak | None:
    left = seen.examples.padded_left
    for sample, length in enumerate(lengths):
        if length >= steps:
            continue
        pads = range(steps - length) if left else range(length, steps)
        real = seen.real_positions(reader, length)
        positions: list[int | None] = [None]
        if real is not None:
            first = max(reader.positions - length, 0) if left else 0
            positions = [*range(first, first + real)][: reader.positions]
        for position in positions:
            amounts = reader.reach(sample, position).entries.get(place)
            if amounts is None:
                continue
            least = FAR if left else ROUNDING
            read = [step for step in significant(amounts[sample], least) if step in pads]
            if not read:
                continue
            if len(read) == 1 and read[0] == length and steps - length > 1 and not left:
                continue  # one step too many: M12
            run = _padded_run(seen, near, sample)
            code = "M11" if left or _pads_first(seen, run, sample, place, length) else "M10"
            if code == "M10" and _pools_padding(seen, near, run, sample, length):
                code = "M28"
            where = "" if position is None else f" at step {position}"
            text = (
                f"{reader.name} of sample {sample}{where} depends on step {read[-1]}, which is "
                f"padding: the sample has {length} real steps of {steps}."
            )
            return Leak(code, run.module, text, sample, read[-1])
    return None


def _padded_run(seen: Observation, near: Reader, sample: int) -> LayerRun:
    """The run in which padding was read: the first that may, or the one next to the result."""
    place = seen.main_place
    for reader in seen.layer_readers:
        run = reader.run
        if reader.kind == "input" and run is not None and not run.ragged:
            reach = reader.flow.of(reader.tensor)
            if place in reach.entries:
                return run
    for index in sorted(near.reach(sample).runs):
        return seen.runs[index]
    return seen.runs[0]


def _pads_first(seen: Observation, run: LayerRun, sample: int, place: int, length: int) -> bool:
    """Whether the first step that the layer reads of a sample is padding."""
    reader = seen.reader(run, "input")
    if reader is None or run.steps < 2:
        return False
    lane = seen.lane_of(run, sample)
    amounts = reader.flow.of(reader.tensor[0, lane]).entries.get(place)
    if amounts is None or sample >= amounts.shape[0]:
        return False
    read = significant(amounts[sample])
    return bool(read) and min(read) >= length


def _pools_padding(
    seen: Observation, near: Reader, run: LayerRun, sample: int, length: int
) -> bool:
    """Whether a result takes the mean of output over real steps and pads alike."""
    for index, amounts in near.reach(sample).outputs.items():
        one = seen.runs[index]
        lane = seen.lane_of(one, sample)
        steps = significant(amounts[:, lane].sum(1))
        if len(steps) > max(2, length) or (len(steps) == one.steps and one.steps > length):
            sizes = amounts[:, lane].sum(1)[steps]
            return bool(np.allclose(sizes, sizes[0], rtol=1e-6))
    return False


def _longer(seen: Observation) -> Leak | None:
    """More padding, and the results that it moves."""
    examples, main = seen.examples, seen.main
    if main is None or main.packed is not None or main.batch_dim is None or main.time_dim is None:
        return None
    if examples.lengths is None or examples.padded_left:
        return None
    if examples.lengths_leaf is None and examples.mask_leaf is None and main.kind != "ids":
        return None
    changed = extended(examples)
    if changed is None:
        return None
    try:
        results = seen.runner.plain(examples, changed)
    except Exception:
        return None  # a model for one width only: nothing to compare
    for place, (reader, longer) in enumerate(zip(seen.results, results, strict=False)):
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        own = reader.tensor.detach()
        if own.dim() != longer.dim():
            continue
        for sample, length in enumerate(examples.lengths):
            a, b = own.select(reader.batch_axis, sample), longer.select(reader.batch_axis, sample)
            leak = _compared(
                seen,
                place,
                sample,
                length,
                a,
                b,
                "With two more steps of padding {0} moves by {1:.3g}",
            )
            if leak is not None:
                return leak
    return None


def _compared(
    seen: Observation, place: int, sample: int, length: int, a: Tensor, b: Tensor, words: str
) -> Leak | None:
    """Two results of one sample, which should be one."""
    reader, main = seen.results[place], seen.main
    if main is None or reader.batch_axis is None:
        return None
    real = seen.real_positions(reader, length)
    if reader.time_axis is not None and real is not None:
        axis = reader.time_axis - (reader.batch_axis < reader.time_axis)
        if a.shape[axis] < real or b.shape[axis] < real:
            return None
        a, b = a.narrow(axis, 0, real), b.narrow(axis, 0, real)
    if a.shape != b.shape or not a.numel():
        return None
    change = float((a - b).abs().max())
    scale = float(a.abs().max())
    if not change > 1e-6 * max(scale, 1e-3):
        return None
    run = _padded_run(seen, reader, sample)
    indices = sorted(set(reader.reach(sample).outputs) & seen.readers_of_main)
    if indices:
        run = seen.runs[indices[-1]]
    code = "M28" if _mean_of(seen, reader, sample) else "M10"
    said = words.format(f"{reader.name} of sample {sample}", change)
    return Leak(
        code, run.module, f"{said}, though the sample is the same.", sample, int(main.steps or 0)
    )


def _alone(seen: Observation) -> Leak | None:
    """A short sample by itself, without the padding that its batch brings."""
    examples, main = seen.examples, seen.main
    if main is None or main.packed is not None or main.batch_dim is None or main.time_dim is None:
        return None
    if examples.lengths is None or examples.padded_left:
        return None
    if examples.lengths_leaf is None and examples.mask_leaf is None and main.kind != "ids":
        return None
    lengths = examples.lengths
    # One step would be spread over all the steps of whatever stands beside it.
    short = [k for k, length in enumerate(lengths) if 1 < length < (main.steps or 0)]
    if not short:
        return None
    sample = min(short, key=lambda k: lengths[k])
    try:
        results = seen.runner.plain(examples, alone(examples, sample))
    except Exception:
        return None  # a model for one size of batch or one width
    for place, (reader, single) in enumerate(zip(seen.results, results, strict=False)):
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        own = reader.tensor.detach()
        if own.dim() != single.dim() or single.shape[reader.batch_axis] != 2:
            continue
        if _hears_others(seen, seen.whole_results[place], sample):
            continue  # the batch is part of the result, as where it gives the negative examples
        leak = _compared(
            seen,
            place,
            sample,
            lengths[sample],
            own.select(reader.batch_axis, sample),
            single.select(reader.batch_axis, 0),
            "Without the padding of its batch {0} moves by {1:.3g}",
        )
        if leak is not None:
            return leak
    return None


def _hears_others(seen: Observation, reader: Reader, sample: int) -> bool:
    """Whether a result of one sample was made of other samples as well, of whichever input."""
    return any(
        significant(amounts.sum(1), FAR) not in ([], [sample])
        for amounts in reader.reach(sample).entries.values()
        if len(amounts) == seen.batch
    )


def _mean_of(seen: Observation, near: Reader, sample: int) -> bool:
    """Whether a result takes all of its real steps alike, as a mean or a sum does."""
    for index, amounts in near.reach(sample).outputs.items():
        run = seen.runs[index]
        lane = seen.lane_of(run, sample)
        sizes = amounts[:, lane].sum(1)
        steps = significant(sizes)
        if len(steps) >= 2 and np.allclose(sizes[steps], sizes[steps[0]], rtol=1e-6):
            return True
    return False
