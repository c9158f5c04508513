"""What is known of a model once it has run: its results by sample, its runs, who reads whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from ._entry import Entry
from ._examples import Examples
from ._flow import Flow, Numbers, Reach
from ._layer_run import LayerRun
from ._trial import Runner, Trial

if TYPE_CHECKING:
    from ._leak import Leak

DIRECT = 1e-10
"""A direct reader's gradient below this part of the largest is none."""
FAR = 1e-25
"""The same through recurrent layers, where gradients fade."""


@dataclass(eq=False)
class Reader:
    """A tensor that states or inputs go into: a result, or what starts or feeds a layer."""

    kind: str
    """`"result"`, `"input"`, `"h_0"` or `"c_0"`."""
    name: str
    tensor: Tensor
    batch_axis: int | None
    time_axis: int | None
    flow: Flow
    run: LayerRun | None = None
    cache: dict[tuple[int, int | None], Reach] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return 1 if self.batch_axis is None else int(self.tensor.shape[self.batch_axis])

    @property
    def positions(self) -> int:
        """How many places in time it holds."""
        return 1 if self.time_axis is None else int(self.tensor.shape[self.time_axis])

    def part(self, sample: int, position: int | None = None) -> Tensor:
        """The elements of one sample, at one position if that is given.

        Args:
            sample: index into its batch.
            position: index into its time.
        """
        value = self.tensor
        if position is not None and self.time_axis is not None:
            value = value.narrow(self.time_axis, position, 1)
        return value if self.batch_axis is None else value.narrow(self.batch_axis, sample, 1)

    def reach(self, sample: int, position: int | None = None) -> Reach:
        """What one sample was made of.

        Args:
            sample: index into its batch.
            position: index into its time; all of them when absent.
        """
        key = (sample, position)
        if key not in self.cache:
            self.cache[key] = self.flow.of(self.part(sample, position))
        return self.cache[key]


@dataclass(eq=False)
class Observation:
    """A run with every layer cut from the next, a whole run, and what they show."""

    model: nn.Module
    examples: Examples
    runner: Runner
    cut: Trial
    whole: Trial
    target: Any = None

    @property
    def runs(self) -> list[LayerRun]:
        """The runs of recurrent layers, in order."""
        return self.cut.recorder.runs

    @cached_property
    def main_place(self) -> int | None:
        """The first sequence among the entries."""
        main = self.examples.main
        return None if main is None else self.examples.entries.index(main)

    @property
    def main(self) -> Entry | None:
        """The first sequence."""
        return self.examples.main

    @property
    def batch(self) -> int:
        """How many samples."""
        return self.examples.batch

    @cached_property
    def results(self) -> list[Reader]:
        """What the model gave, made of the nearest states."""
        return self._results(self.cut)

    @cached_property
    def whole_results(self) -> list[Reader]:
        """What the model gave, made of the inputs."""
        return self._results(self.whole)

    def _results(self, trial: Trial) -> list[Reader]:
        found = []
        for place, tensor in enumerate(trial.results):
            name = "the result" if len(trial.results) == 1 else f"result {place}"
            batch_axis = self._batch_axis(tensor)
            time_axis = self._time_axis(tensor, batch_axis)
            found.append(Reader("result", name, tensor, batch_axis, time_axis, trial.flow))
        return found

    def _batch_axis(self, tensor: Tensor) -> int | None:
        main = self.main
        usual = main.batch_dim if main is not None and main.batch_dim is not None else 0
        fitting = [axis for axis, size in enumerate(tensor.shape) if size == self.batch]
        if not fitting or (main is not None and main.packed is None and main.batch_dim is None):
            return None
        last = tensor.dim() - 1
        if tensor.dim() >= 3 and last in fitting and len(fitting) > 1:
            fitting.remove(last)
        return usual if usual in fitting and (usual < last or usual == 0) else fitting[0]

    def _time_axis(self, tensor: Tensor, batch_axis: int | None) -> int | None:
        sizes = set()
        for entry in self.examples.entries:
            if entry.steps is not None:
                sizes |= {entry.steps, entry.steps - 1}
        if self.examples.lengths:
            sizes.add(max(self.examples.lengths))
        axes = [axis for axis in range(tensor.dim()) if axis != batch_axis]
        if tensor.dim() >= 3:
            axes = [axis for axis in axes if axis != tensor.dim() - 1]
            sizes |= {entry.steps + 1 for entry in self.examples.entries if entry.steps is not None}
        fitting = [axis for axis in axes if tensor.shape[axis] in sizes and tensor.shape[axis] > 1]
        # Of several, as of a transducer's, that of the first sequence.
        of_main = [axis for axis in fitting if self._real_of(tensor.shape[axis], 1) is not None]
        return next(iter(of_main or fitting), None)

    def _real_of(self, positions: int, length: int) -> int | None:
        """How many of so many positions are real for a sample of the first sequence.

        A result may leave out the first step, or the last one, or have one for BEGIN in front.
        """
        steps = self.main.steps if self.main is not None else None
        if steps is None:
            return None
        longest = max(self.examples.lengths or (steps,))
        for width in (steps, longest):
            if positions == width - 1 and positions != steps:
                return max(length - 1, 1)
            if positions in (width, width + 1):
                return length
        return None

    def real_positions(self, reader: Reader, length: int) -> int | None:
        """How many positions of a reader are real; None where they go not with the first sequence.

        Args:
            reader: who reads, padded at the end.
            length: real steps of the sample.
        """
        if reader.time_axis is None:
            return None
        real = self._real_of(reader.positions, length)
        return None if real is None else min(real, reader.positions)

    def _run_readers(self, trial: Trial) -> list[Reader]:
        found = []
        for run in trial.recorder.runs:
            flow = trial.flow
            name = run.module or "the layer"
            found.append(Reader("input", f"the input of {name}", run.padded_input, 1, 0, flow, run))
            found.append(Reader("h_0", f"h_0 of {name}", run.rows(run.h_0), 1, None, flow, run))
            if run.c_0 is not None:
                found.append(Reader("c_0", f"c_0 of {name}", run.rows(run.c_0), 1, None, flow, run))
        return found

    @cached_property
    def layer_readers(self) -> list[Reader]:
        """What feeds and starts each run, made of the nearest states."""
        return self._run_readers(self.cut)

    @cached_property
    def whole_layer_readers(self) -> list[Reader]:
        """What feeds and starts each run, made of the inputs."""
        return self._run_readers(self.whole)

    @cached_property
    def readers(self) -> list[Reader]:
        """All readers."""
        return [*self.results, *self.layer_readers]

    def reader(self, run: LayerRun, kind: str) -> Reader | None:
        """What feeds or starts one run.

        Args:
            run: which.
            kind: `"input"`, `"h_0"` or `"c_0"`.
        """
        return next((r for r in self.layer_readers if r.run is run and r.kind == kind), None)

    @cached_property
    def lane_samples(self) -> dict[int, list[int]]:
        """By run: the sample that each lane is of; -1 where it is of none or several.

        Followed from run to run: a lane's states are made of what its input and its start are.
        """
        fed: dict[int, list[set[int]]] = {}
        states: dict[int, list[set[int]]] = {}
        for reader in self.layer_readers:
            if reader.run is None:
                continue
            index = reader.run.index
            read = [self._samples_in(reader.reach(lane), states) for lane in range(reader.samples)]
            if reader.kind == "input":
                fed[index] = states[index] = read
            else:
                states[index] = [a | b for a, b in zip(states[index], read, strict=True)]
        return {
            index: [min(samples) if len(samples) == 1 else -1 for samples in lanes]
            for index, lanes in fed.items()
        }

    def _samples_in(self, reach: Reach, states: dict[int, list[set[int]]]) -> set[int]:
        """The samples of a value, by those of the lanes of the runs before it."""
        found: set[int] = set()
        for amounts in reach.entries.values():
            found |= set(significant(amounts.sum(1), FAR))
        lanes = [(index, amounts.sum((0, 2))) for index, amounts in reach.outputs.items()]
        lanes += [(index, amounts.sum(0)) for (index, _), amounts in reach.finals.items()]
        for index, sizes in lanes:
            for lane in significant(sizes, FAR):
                found |= states[index][lane]
        return found

    def lane_of(self, run: LayerRun, sample: int) -> int:
        """The lane of a sample in a run; its own number where that is not known.

        Args:
            run: which.
            sample: index into the batch.
        """
        lanes = self.lane_samples.get(run.index, [])
        return lanes.index(sample) if sample in lanes else min(sample, run.lanes - 1)

    def length_of(self, run: LayerRun, sample: int) -> int:
        """Real steps of a sample in a run.

        Args:
            run: which.
            sample: index into the batch.
        """
        if run.ragged:
            return run.lengths[self.lane_of(run, sample)]
        main = self.main
        lengths = self.examples.lengths
        fits = main is not None and main.steps is not None and run.steps <= main.steps
        if lengths is not None and fits and sample < len(lengths):
            return min(lengths[sample], run.steps)
        return run.steps

    @cached_property
    def readers_of_main(self) -> set[int]:
        """The runs whose input is made of the first sequence."""
        return {
            reader.run.index
            for reader in self.whole_layer_readers
            if reader.kind == "input"
            and reader.run is not None
            and self.main_place in reader.flow.of(reader.tensor).entries
        }

    @cached_property
    def leaks(self) -> list[Leak]:
        """Where padding is read, of the first sequence or else of another."""
        from ._padding_leaks import leaks_of_all

        return leaks_of_all(self)

    @cached_property
    def two_calls(self) -> tuple[Trial, Trial]:
        """Two calls of one copy with the same input, the second after the first."""
        model = self.runner.patient.fresh()
        first = self.runner.run(self.examples, cutting=False, model=model, graph=False)
        return first, self.runner.run(self.examples, cutting=False, model=model, graph=False)

    @cached_property
    def calls(self) -> dict[str, list[LayerRun]]:
        """The runs of each layer by its name."""
        found: dict[str, list[LayerRun]] = {}
        for run in self.runs:
            found.setdefault(run.module, []).append(run)
        return found


def significant(amounts: Numbers, part: float = DIRECT) -> list[int]:
    """The places whose size counts.

    Args:
        amounts: sizes in one dimension.
        part: of the largest.
    """
    if amounts.size == 0 or not amounts.max() > 0:
        return []
    return [int(place) for place in np.flatnonzero(amounts > part * amounts.max())]
