"""Runs of the model under watch, and what they gave."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ._examples import Examples
from ._flow import Flow
from ._ids_traced import Origin, traced_ids
from ._layer_run import cut
from ._patient import Patient
from ._recorder import Recorder
from ._results import tensors_of
from ._stillness import SEED, as_it_was, stillness
from ._time_limit import left_at


@dataclass(eq=False)
class Trial:
    """One recorded run."""

    model: nn.Module
    recorder: Recorder
    results: list[Tensor]
    flow: Flow
    given: Any = None
    """What the model returned, as it is."""


class Runner:
    """Runs the model: each time a fresh copy, unless a run shall go on with the last.

    Args:
        patient: the model.
        deadline: by `time.monotonic`; no run goes on past it.
    """

    def __init__(self, patient: Patient, deadline: float) -> None:
        self.patient = patient
        self.deadline = deadline
        self.made_of: Mapping[int, tuple[Origin, ...]] = {}

    def trace_ids(self, examples: Examples, trial: Trial) -> bool:
        """Find out what symbols were made of that are no input's as they stand, for later runs.

        Args:
            examples: what to call with.
            trial: a run of them.

        Returns:
            Whether something was found.
        """
        self.made_of = traced_ids(self, examples, trial)
        return bool(self.made_of)

    def run(
        self,
        examples: Examples,
        *,
        cutting: bool = True,
        changed: Mapping[int, Any] | None = None,
        model: nn.Module | None = None,
        seed: int = SEED,
        graph: bool = True,
    ) -> Trial:
        """One recorded run.

        Args:
            examples: what to call with.
            cutting: as for `Recorder`.
            changed: other leaves, by place.
            model: a copy to go on with; a fresh one when absent.
            seed: of the random numbers that the model draws.
            graph: whether gradients with regard to the inputs are wanted.
        """
        model = self.patient.fresh() if model is None else model
        recorder = Recorder(model, cutting=cutting, deadline=self.deadline)
        recorder.made_of = self.made_of
        replaced = dict(changed or {})
        roots: dict[int, Tensor] = {}
        for place, entry in enumerate(examples.entries):
            if graph and entry.tensor.is_floating_point() and entry.leaf not in replaced:
                roots[place] = cut(entry.tensor)
                replaced[entry.leaf] = examples.rebuilt(entry, roots[place].clone())
        args, keywords = examples.call(replaced)
        put_back = nullcontext() if self.patient.copied else as_it_was(model)
        with stillness(self.patient.dtype, seed):
            with put_back, recorder.watching(), left_at(self.deadline):
                if not self.patient.copied:
                    model.eval()
                given = model(*args, **keywords)
            results = tensors_of(given)
            flow = Flow(recorder, examples, roots, results)
            return Trial(model, recorder, results, flow, given)

    def plain(self, examples: Examples, changed: Mapping[int, Any]) -> list[Tensor]:
        """The results with other inputs, without gradients.

        Args:
            examples: what to call with.
            changed: other leaves, by place.
        """
        trial = self.run(examples, cutting=False, changed=changed, graph=False)
        return [result.detach() for result in trial.results]

    def plain_of(self, examples: Examples, model: nn.Module) -> list[Tensor]:
        """The results of a copy, without gradients.

        Args:
            examples: what to call with.
            model: the copy.
        """
        trial = self.run(examples, cutting=False, model=model, graph=False)
        return [result.detach() for result in trial.results]


def is_finite(results: list[Tensor]) -> bool:
    """Whether all numbers are.

    Args:
        results: of a run.
    """
    return all(bool(torch.isfinite(result).all()) for result in results)
