"""M22, and for M23 the weights that attention lays on padding."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import Check, finding
from ._finding import Finding
from ._layer_run import LayerRun, SoftmaxCall
from ._leak import Leak
from ._observation import Observation, significant


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


CHECKS = (Check("M22", wrong_softmax),)
