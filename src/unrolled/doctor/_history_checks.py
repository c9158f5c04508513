"""M19, M20, M21, M27: what a second call shows, and dropout that does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from .. import nn as ours
from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._layer_run import LayerRun
from ._observation import Observation
from ._patient import SEED
from ._resets import begin_anew, reset_flag
from ._trial import Trial


def _moved(first: Tensor | None, second: Tensor | None) -> float:
    if first is None or second is None:
        return 0.0
    if first.shape != second.shape:
        return float("inf")
    return float((first.detach() - second.detach()).abs().max()) if first.numel() else 0.0


def starts_moved(first: Trial, second: Trial) -> tuple[LayerRun, float] | None:
    """The first run that starts from elsewhere than it did."""
    for one, other in zip(first.recorder.runs, second.recorder.runs, strict=False):
        change = max(_moved(one.h_0, other.h_0), _moved(one.c_0, other.c_0))
        if change > 1e-9:
            return one, change
        if _moved(one.input, other.input) > 1e-9:
            return None
    return None


def random_start(seen: Observation) -> Iterator[Finding]:
    """M19: h_0 drawn at each call.

    Args:
        seen: the model.
    """
    again = seen.runner.run(seen.examples, cutting=False, seed=SEED + 1, graph=False)
    found = starts_moved(seen.whole, again)
    if found is None:
        return
    run, change = found
    yield finding(
        "M19",
        "error",
        run.module,
        "HIST",
        f"h_0 of {run.module or 'the layer'} differs by {change:.3g} between two calls "
        f"with the same "
        "input, in evaluation.",
        f"{run.module or 'The layer'} starts from random numbers at every call, so "
        f"that the same input "
        "gives another result each time.",
        "output, h_n = gru(x)  # starts from zeros; or from a learned nn.Parameter",
        change=change,
    )


def _asked_twice(seen: Observation) -> None:
    if not seen.runner.patient.copied:
        raise CannotTell(
            "the model could not be copied, and a second call would leave its mark on the model "
            "itself; give one that copy.deepcopy takes"
        )


def kept_state(seen: Observation) -> Iterator[Finding]:
    """M20: the state of one call starts the next.

    Args:
        seen: the model.
    """
    _asked_twice(seen)
    first, second = seen.two_calls
    found = starts_moved(first, second)
    if found is None:
        return
    run, change = found
    if _begins_anew(seen):
        return
    yield finding(
        "M20",
        "error",
        run.module,
        "HIST",
        f"h_0 of {run.module or 'the layer'} moves by {change:.3g} from the first call "
        f"to the second, "
        "which gets the same input.",
        f"The state of {run.module or 'the layer'} is kept from one call to the next, "
        f"whatever batch "
        "comes: results depend on what was seen before.",
        "def forward(self, x, state=None):\n    output, state = self.gru(x, state)\n"
        "    return output, state  # the caller keeps it where batches belong together",
        change=change,
    )


def _begins_anew(seen: Observation) -> bool:
    """Whether the model has a way to begin anew, and then starts from the same state each time.

    Two calls after a reset are compared. The model as it came is no measure: it may have run.

    Args:
        seen: the model.
    """
    model = seen.runner.patient.fresh()
    trials = []
    flag = reset_flag(model, len(seen.examples.call()[0]))
    if flag is not None:
        model.forward = partial(model.forward, **{flag: True})
        trials = [
            seen.runner.run(seen.examples, cutting=False, model=model, graph=False)
            for _ in range(2)
        ]
        return starts_moved(*trials) is None
    for _ in range(2):
        seen.runner.run(seen.examples, cutting=False, model=model, graph=False)
        if not begin_anew(model, seen.batch, seen.runner.patient.dtype):
            return False
        trials.append(seen.runner.run(seen.examples, cutting=False, model=model, graph=False))
    return starts_moved(*trials) is None


def undetached(seen: Observation) -> Iterator[Finding]:
    """M21: a carried state that still hangs on the graph of the call before.

    Args:
        seen: the model.
    """
    _asked_twice(seen)
    if starts_moved(*seen.two_calls) is None:
        return
    model = seen.runner.patient.fresh()
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    first = seen.runner.run(seen.examples, cutting=False, model=model, graph=False)
    second = seen.runner.run(seen.examples, cutting=False, model=model, graph=False)
    for one, other in zip(first.recorder.runs, second.recorder.runs, strict=False):
        hanging = [s for s in (other.h_0, other.c_0) if s is not None and s.requires_grad]
        earlier = [t for t in (one.h_n, one.output, one.c_n) if t is not None and t.requires_grad]
        for state in hanging:
            if any(_reaches(state, node) for node in earlier):
                yield finding(
                    "M21",
                    "error",
                    other.module,
                    "HOOK",
                    f"In the second call h_0 of {other.module or 'the layer'} has the gradient "
                    f"function {type(state.grad_fn).__name__}, which leads into the first call.",
                    f"The state that {other.module or 'the layer'} carries is not "
                    f"detached: backward "
                    "goes through all earlier calls, or fails at the second.",
                    "self.state = state.detach()",
                    gradient_function=type(state.grad_fn).__name__,
                )
                return


def _reaches(state: Tensor, earlier: Tensor) -> bool:
    """Whether the graph of a state holds the function that made an earlier tensor."""
    wanted = earlier.grad_fn
    waiting, known = [state.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in known:
            continue
        if node is wanted:
            return True
        known.add(node)
        if len(known) > 20_000:
            return False
        waiting += [following for following, _ in node.next_functions]
    return False


def idle_dropout(seen: Observation) -> Iterator[Finding]:
    """M27: `dropout` of a layer that has no layer above it.

    Args:
        seen: the model.
    """
    kinds = (nn.RNNBase, ours.RNN, ours.GRU, ours.LSTM)
    for name, module in seen.runner.patient.original.named_modules():
        if not isinstance(module, kinds) or module.num_layers != 1 or not module.dropout > 0:
            continue
        yield finding(
            "M27",
            "warning",
            name,
            "HOOK",
            f"{name or 'The layer'} has dropout={module.dropout} and num_layers=1.",
            "Dropout of a recurrent layer acts between its layers; with one layer there is no such "
            "place, and nothing is dropped.",
            "output, h_n = gru(x)\noutput = nn.functional.dropout(output, p, self.training)",
            dropout=float(module.dropout),
            num_layers=1,
        )


CHECKS = (
    Check("M19", random_start),
    Check("M20", kept_state),
    Check("M21", undetached),
    Check("M27", idle_dropout),
)
