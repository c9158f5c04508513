"""M10, M11, M22, M23, M28: padding that is read, and attention over the wrong axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ._check import CannotTell, Check, finding
from ._examples import Examples
from ._finding import Finding
from ._layer_run import LayerRun, SoftmaxCall
from ._observation import FAR, Observation, Reader, significant


@dataclass(frozen=True)
class Leak:
    """A result that padding moves."""

    code: str
    module: str
    text: str
    sample: int
    step: int


def leaks(seen: Observation) -> list[Leak]:
    """Where padding is read.

    Args:
        seen: the model.
    """
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
    aligned = reader.time_axis is not None and reader.positions in (steps, max(lengths))
    for sample, length in enumerate(lengths):
        if length >= steps:
            continue
        pads = range(steps - length) if left else range(length, steps)
        real = range(steps - length, steps) if left else range(length)
        positions: list[int | None] = [None]
        if aligned:
            positions = [p for p in real if p < reader.positions]
        for position in positions:
            amounts = reader.reach(sample, position).entries.get(place)
            if amounts is None:
                continue
            read = [step for step in significant(amounts[sample], FAR) if step in pads]
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
    lengths = seen.examples.lengths or ()
    if main is None or reader.batch_axis is None:
        return None
    if reader.time_axis is not None and reader.positions in (main.steps, max(lengths)):
        axis = reader.time_axis - (reader.batch_axis < reader.time_axis)
        if a.shape[axis] < length or b.shape[axis] < length:
            return None
        a, b = a.narrow(axis, 0, length), b.narrow(axis, 0, length)
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
    if examples.lengths is None or examples.padded_left or examples.lengths_leaf is None:
        return None
    lengths = examples.lengths
    sample = min(range(len(lengths)), key=lambda k: lengths[k])
    if lengths[sample] >= (main.steps or 0) or lengths[sample] < 1:
        return None
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


def alone(examples: Examples, sample: int) -> dict[int, object]:
    """One sample twice, cut to its length: twice because some models squeeze a batch of one.

    Args:
        examples: the inputs.
        sample: which.
    """
    main = examples.main
    changed: dict[int, object] = {}
    if main is None or main.time_dim is None or examples.lengths is None:
        return changed
    length = examples.lengths[sample]
    batches = {e.leaf: e.batch_dim for e in examples.entries}
    for place, leaf in enumerate(examples.leaves):
        if place == examples.lengths_leaf:
            pair = [length, length]
            changed[place] = (
                torch.tensor(pair, dtype=leaf.dtype)
                if isinstance(leaf, Tensor)
                else type(leaf)(pair)
            )
            continue
        if not isinstance(leaf, Tensor) or leaf.dim() == 0:
            continue
        axis = batches.get(place)
        if axis is None or leaf.shape[axis] != examples.batch:
            fitting = [k for k, size in enumerate(leaf.shape[:2]) if size == examples.batch]
            if not fitting:
                continue
            axis = fitting[0]
        leaf = torch.cat([leaf.narrow(axis, sample, 1)] * 2, axis)
        if place in (main.leaf, examples.mask_leaf):
            leaf = leaf.narrow(main.time_dim, 0, length)
        changed[place] = leaf
    return changed


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


def extended(examples: Examples, more: int = 2) -> dict[int, Tensor] | None:
    """The same samples with more padding at the end.

    Args:
        examples: the inputs.
        more: steps of padding to add.
    """
    main = examples.main
    if main is None or main.time_dim is None:
        return None
    changed: dict[int, Tensor] = {}
    for place, leaf in enumerate(examples.leaves):
        if not isinstance(leaf, Tensor) or leaf.dim() < 2:
            continue
        axis = main.time_dim
        is_main = place == main.leaf
        is_mask = place == examples.mask_leaf
        if not is_main and not is_mask:
            continue
        if leaf.shape[axis if axis < leaf.dim() else -1] != main.steps:
            return None
        shape = list(leaf.shape)
        shape[axis] = more
        pad = leaf.new_zeros(shape)
        if is_mask:
            real = leaf.select(axis, 0)
            pad = (~real if leaf.dtype == torch.bool else 1 - real).unsqueeze(axis).expand(shape)
        changed[place] = torch.cat([leaf, pad], axis)
    return changed


def _memory_run(seen: Observation, softmax: SoftmaxCall) -> LayerRun | None:
    """The run whose states a softmax weighs: one of several steps that its scores are made of."""
    reach = seen.cut.flow.of(softmax.scores)
    candidates = [seen.runs[index] for index in sorted(reach.outputs)]
    candidates = [run for run in candidates if run.steps > 1]
    return candidates[0] if candidates else None


def attention_place(softmax: SoftmaxCall, run: LayerRun) -> str:
    """Attention's own module, or the layer whose states it reads where it has none.

    Args:
        softmax: of the weights.
        run: the memory.
    """
    return softmax.module if softmax.module else run.module


def _softmaxes(seen: Observation) -> list[SoftmaxCall]:
    return [s for s in seen.cut.recorder.softmaxes if s.scores.requires_grad]


def _step_axes(seen: Observation, softmax: SoftmaxCall, run: LayerRun) -> dict[int, str]:
    """By axis of the scores: whether the memory's samples or steps go along it."""
    found: dict[int, str] = {}
    scores = softmax.scores
    for axis, size in enumerate(scores.shape):
        if size < 2:
            continue
        signs = []
        for place in (0, size - 1):
            amounts = seen.cut.flow.of(scores.narrow(axis, place, 1)).outputs.get(run.index)
            if amounts is None:
                break
            signs.append(amounts)
        if len(signs) < 2:
            continue
        lanes = [significant(a.sum((0, 2))) for a in signs]
        steps = [significant(a.sum((1, 2))) for a in signs]
        if all(len(found_lanes) == 1 for found_lanes in lanes) and lanes[0] != lanes[1]:
            found[axis] = "samples"
        elif steps[0] != steps[1] and all(len(s) < run.steps for s in steps):
            found[axis] = "steps"
    return found


def wrong_softmax(seen: Observation) -> Iterator[Finding]:
    """M22: attention weights that do not add up over the memory's steps.

    Args:
        seen: the model.
    """
    for softmax in _softmaxes(seen):
        run = _memory_run(seen, softmax)
        if run is None:
            continue
        axes = _step_axes(seen, softmax, run)
        over = axes.get(softmax.dim)
        size = softmax.scores.shape[softmax.dim]
        named = run.module or "the layer"
        if size == 1 and "steps" in axes.values():
            text = (
                f"The softmax runs over axis {softmax.dim} of "
                f"{tuple(softmax.scores.shape)}, which has "
                "one element: every weight is 1."
            )
        elif over == "samples":
            text = (
                f"The softmax runs over axis {softmax.dim} of "
                f"{tuple(softmax.scores.shape)}, which is "
                f"the batch: the weights of a sample add up to "
                f"{_row_sum(softmax, axes):.3g} and not to 1."
            )
        elif over is None and "steps" in axes.values() and size > 1:
            text = (
                f"The softmax runs over axis {softmax.dim} of {tuple(softmax.scores.shape)}, along "
                f"which the steps of {named} do not change."
            )
        elif over == "steps" and _contracted_otherwise(seen, softmax, axes):
            text = (
                f"The softmax runs over axis {softmax.dim} of "
                f"{tuple(softmax.scores.shape)}, and the "
                "weighted sum over another one."
            )
        else:
            continue
        yield finding(
            "M22",
            "error",
            attention_place(softmax, run),
            "HOOK",
            text,
            f"The weights of attention have to add up to 1 over the steps of {named}, "
            f"for each sample "
            "and each query.",
            "weights = scores.softmax(dim=STEPS)  # the axis of the memory's steps",
            dim=softmax.dim,
            size=int(size),
        )
        return


def _row_sum(softmax: SoftmaxCall, axes: dict[int, str]) -> float:
    steps = next((axis for axis, what in axes.items() if what == "steps"), None)
    if steps is None:
        return float("nan")
    return float(softmax.weights.detach().sum(steps).reshape(-1)[0])


def _contracted_otherwise(seen: Observation, softmax: SoftmaxCall, axes: dict[int, str]) -> bool:
    """Whether a square of queries and steps was normalised over the queries."""
    steps = [axis for axis, what in axes.items() if what == "steps"]
    if len(steps) < 2:
        return False
    for product in seen.cut.recorder.products:
        left, right = product
        if left is softmax.weights:
            return softmax.dim != left.dim() - 1
        if right is softmax.weights:
            return softmax.dim != right.dim() - 2
    return False


def attended_padding(seen: Observation) -> Leak | None:
    """Weights of attention on padding.

    Args:
        seen: the model.
    """
    lengths, main = seen.examples.lengths, seen.main
    if lengths is None or main is None or seen.examples.padded_left:
        return None
    for softmax in _softmaxes(seen):
        run = _memory_run(seen, softmax)
        if run is None:
            continue
        axes = _step_axes(seen, softmax, run)
        weights = softmax.weights.detach()
        batch = next((a for a, what in axes.items() if what == "samples"), None)
        if batch is None or weights.shape[batch] != seen.batch or weights.shape[softmax.dim] < 2:
            continue
        if axes.get(softmax.dim) != "steps" or weights.shape[softmax.dim] not in (
            main.steps,
            max(lengths),
        ):
            continue
        for lane in range(seen.batch):
            sample = lane
            width = weights.shape[softmax.dim]
            length = lengths[sample]
            if length >= width:
                continue
            row = weights.narrow(batch, lane, 1).narrow(softmax.dim, length, width - length)
            # Rows of queries that are padding themselves are nobody's.
            for axis, what in axes.items():
                if what == "steps" and axis != softmax.dim and row.shape[axis] == width:
                    row = row.narrow(axis, 0, length)
            most = float(row.abs().max())
            if most > 1e-8:
                return Leak(
                    "M23",
                    attention_place(softmax, run),
                    f"Attention gives a weight of {most:.3g} to step {length} or later of sample "
                    f"{sample}, which has {length} real steps.",
                    sample,
                    length,
                )
    return None


_WORDS = {
    "M10": (
        "error",
        "PAD",
        "Padding reaches the state or the pool that {0} gives: the result of a sample "
        "depends on how "
        "much padding its batch brings.",
        "packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)",
    ),
    "M11": (
        "error",
        "PAD",
        "Padding stands before the real steps: by the first real one the state of {0} "
        "has been driven "
        "through the pads.",
        "# pad at the end, and pack\npacked = pack_padded_sequence(x, lengths, batch_first=True, "
        "enforce_sorted=False)",
    ),
    "M23": (
        "error",
        "PAD",
        "Attention over the states of {0} reads padded steps.",
        "scores = scores.masked_fill(~mask, float('-inf'))  # before the softmax",
    ),
    "M28": (
        "error",
        "PAD",
        "The mean over the output of {0} counts padded steps.",
        "mean = (output * mask.unsqueeze(-1)).sum(1) / lengths.unsqueeze(-1)",
    ),
}


def _leaking(code: str, seen: Observation) -> Iterator[Finding]:
    if seen.main is None or not seen.runs:
        return
    if seen.examples.lengths is None or not seen.examples.ragged:
        raise CannotTell("no sample has padding; give lengths that differ, or a mask")
    found = seen.leaks
    for leak in found:
        if leak.code == code:
            severity, probe, explanation, repair = _WORDS[code]
            yield finding(
                code,
                "error" if severity == "error" else "warning",
                leak.module,
                probe,
                leak.text,
                explanation.format(leak.module or "the layer"),
                repair,
                sample=leak.sample,
                step=leak.step,
            )
            return


CHECKS = (
    Check("M10", lambda seen: _leaking("M10", seen)),
    Check("M11", lambda seen: _leaking("M11", seen)),
    Check("M22", wrong_softmax),
    Check("M23", lambda seen: _leaking("M23", seen)),
    Check("M28", lambda seen: _leaking("M28", seen)),
)
