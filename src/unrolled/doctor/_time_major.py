"""Whether the second dimension of the examples is the batch, as the model shows by its run."""

from __future__ import annotations

from ._examples import Examples, with_batch_dim
from ._flow import Flow
from ._observation import FAR, Observation, significant
from ._trial import Trial


def time_major(seen: Observation) -> bool:
    """Whether the model keeps samples apart only if dimension 1 is the batch.

    Args:
        seen: the first runs, with dimension 0 taken for it.
    """
    main = seen.main
    if main is None or main.packed is not None or main.batch_dim != 0 or main.time_dim != 1:
        return False
    if seen.examples.lengths_leaf is not None or seen.examples.mask_leaf is not None:
        return False
    if main.kind == "floats" and main.tensor.dim() != 3:
        return False
    if any(
        e.packed is not None or (e.steps is None and e.tensor.dim() > 1)
        for e in seen.examples.entries
    ):
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
