"""Runs of the model under watch, and what they gave."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence
from torch.utils import _pytree as pytree

from ._examples import Examples
from ._flow import Flow
from ._layer_run import cut
from ._patient import SEED, Patient, as_it_was, stillness
from ._recorder import Recorder


@dataclass(eq=False)
class Trial:
    """One recorded run."""

    model: nn.Module
    recorder: Recorder
    results: list[Tensor]
    flow: Flow


def tensors_of(result: Any) -> list[Tensor]:
    """The float tensors in what a model gave.

    Args:
        result: a tensor, a pack, or anything that holds some.
    """
    found: list[Tensor] = []
    for leaf in pytree.tree_leaves(result, is_leaf=lambda v: isinstance(v, PackedSequence)):
        if isinstance(leaf, PackedSequence):
            found.append(pad_packed_sequence(leaf, batch_first=True)[0])
        elif isinstance(leaf, Tensor):
            if leaf.is_floating_point():
                found.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, (nn.Module, type)):
            found += [
                v for v in vars(leaf).values() if isinstance(v, Tensor) and v.is_floating_point()
            ]
    return found


class Runner:
    """Runs the model: each time a fresh copy, unless a run shall go on with the last.

    Args:
        patient: the model.
        deadline: by `time.monotonic`; no run goes on past it.
    """

    def __init__(self, patient: Patient, deadline: float) -> None:
        self.patient = patient
        self.deadline = deadline

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
        replaced = dict(changed or {})
        roots: dict[int, Tensor] = {}
        for place, entry in enumerate(examples.entries):
            if graph and entry.tensor.is_floating_point() and entry.leaf not in replaced:
                roots[place] = cut(entry.tensor)
                replaced[entry.leaf] = examples.rebuilt(entry, roots[place].clone())
        args, keywords = examples.call(replaced)
        with stillness(self.patient.dtype, seed):
            if self.patient.copied:
                with recorder.watching():
                    result = model(*args, **keywords)
                results = tensors_of(result)
                return Trial(model, recorder, results, Flow(recorder, examples, roots, results))
            with as_it_was(model), recorder.watching():
                model.eval()
                result = model(*args, **keywords)
            results = tensors_of(result)
            return Trial(model, recorder, results, Flow(recorder, examples, roots, results))

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


def deadline_in(seconds: float) -> float:
    """By `time.monotonic`.

    Args:
        seconds: from now.
    """
    return time.monotonic() + seconds


def is_finite(results: list[Tensor]) -> bool:
    """Whether all numbers are.

    Args:
        results: of a run.
    """
    return all(bool(torch.isfinite(result).all()) for result in results)
