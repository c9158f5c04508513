"""M22, and for M23 the weights that attention lays on padding."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import Check, finding
from ._finding import Finding
from ._layer_run import LayerRun, SoftmaxCall
from ._leak import Leak
from ._observation import Observation, significant
from ._weighted_sum import padding_counts, summed_axes


def wrong_softmax(seen: Observation) -> Iterator[Finding]:
    """M22: attention weights that do not add up over the memory's steps.

    A softmax is attention where its weights are summed along the steps of some layer; it is right
    where it runs along the same axis. One that runs along no steps and is summed along none, such
    as a gate or the probabilities of tags, is no attention.

    Args:
        seen: the model.
    """
    for softmax in _softmaxes(seen):
        axes = {run.index: _step_axes(seen, softmax, run) for run in _memories(seen, softmax)}
        along = {axis for found in axes.values() for axis, what in found.items() if what == "steps"}
        if not along:
            continue
        over = {found.get(softmax.dim) for found in axes.values()}
        size = softmax.scores.shape[softmax.dim]
        shape = tuple(softmax.scores.shape)
        run = next(seen.runs[k] for k, found in axes.items() if "steps" in found.values())
        if size == 1:
            text = (
                f"The softmax runs over axis {softmax.dim} of {shape}, which has one element: "
                "every weight is 1."
            )
        elif "samples" in over and "steps" not in over:
            total = _row_sum(softmax, axes[run.index])
            text = (
                f"The softmax runs over axis {softmax.dim} of {shape}, which is the batch: the "
                f"weights of a sample add up to {total:.3g} and not to 1."
            )
        else:
            summed = summed_axes(seen, softmax)
            memory = sorted(along & set(summed))
            if softmax.dim in summed or not memory:
                continue
            if softmax.dim in summed[memory[0]].kept_by_other:
                continue  # each of its classes weighs values of its own
            run = next(seen.runs[k] for k, found in axes.items() if found.get(memory[0]) == "steps")
            text = (
                f"The softmax runs over axis {softmax.dim} of {shape}, along which the steps of "
                f"{run.module or 'the layer'} do not change; the weighted sum runs over axis "
                f"{memory[0]}."
            )
        named = run.module or "the layer"
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


def _memories(seen: Observation, softmax: SoftmaxCall) -> list[LayerRun]:
    """The runs of several steps whose states a softmax's scores are made of."""
    reach = seen.cut.flow.of(softmax.scores)
    return [seen.runs[index] for index in sorted(reach.outputs) if seen.runs[index].steps > 1]


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


def _memory_of_main(
    seen: Observation, softmax: SoftmaxCall
) -> tuple[LayerRun | None, dict[int, str]]:
    """The run along whose steps a softmax runs, if it has read the first sequence; its axes.

    Only of the first sequence it is known which steps are padding.
    """
    for run in _memories(seen, softmax):
        axes = _step_axes(seen, softmax, run)
        if axes.get(softmax.dim) == "steps" and run.index in seen.readers_of_main:
            return run, axes
    return None, {}


def attended_padding(seen: Observation) -> Leak | None:
    """Weights of attention on padding.

    Args:
        seen: the model.
    """
    lengths, main = seen.examples.lengths, seen.main
    if lengths is None or main is None or seen.examples.padded_left:
        return None
    for softmax in _softmaxes(seen):
        run, axes = _memory_of_main(seen, softmax)
        if run is None:
            continue
        weights = softmax.weights.detach()
        batch = next((a for a, what in axes.items() if what == "samples"), None)
        if batch is None or weights.shape[batch] != seen.batch or weights.shape[softmax.dim] < 2:
            continue
        if weights.shape[softmax.dim] not in (main.steps, max(lengths)):
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
            if most > 1e-8 and padding_counts(
                seen, seen.cut.recorder.softmaxes.index(softmax), batch, sample, length
            ):
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
