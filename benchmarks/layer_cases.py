"""The sizes at which layers are timed, and what they compute and read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

GATES = {"GRU": 3, "RNN": 1, "LSTM": 4}


@dataclass(frozen=True)
class Case:
    """What is run."""

    name: str
    batch: int
    steps: int
    size: int
    bidirectional: bool = False
    ragged: bool = False
    layers: int = 2

    @property
    def settings(self) -> dict[str, int | bool]:
        """Of the layer, beside its sizes."""
        return {"num_layers": self.layers, "bidirectional": self.bidirectional}

    def input(self) -> Tensor:
        """Numbers to run on."""
        return torch.randn(self.steps, self.batch, self.size)

    def lengths(self) -> Tensor | None:
        """From 5 to all steps, evenly."""
        return torch.linspace(5, self.steps, self.batch).long() if self.ragged else None

    def real_steps(self) -> int:
        """Of all samples together."""
        lengths = self.lengths()
        return self.batch * self.steps if lengths is None else int(lengths.sum())

    def weights(self, cell: str) -> int:
        """Numbers in all weight matrices."""
        directions = 1 + self.bidirectional
        read = self.size * (1 + directions * (self.layers - 1) + self.layers)
        return self._rows(cell) * read

    def flops(self, cell: str, *, training: bool = False) -> float:
        """Without the elementwise part; of training, forward and back, but not to the input."""
        each = 2.0 * self.real_steps()
        if not training:
            return each * self.weights(cell)
        return each * (3 * self.weights(cell) - self._rows(cell) * self.size)

    def traffic(self, cell: str) -> float:
        """Bytes of a forward run: all weights once for a step, inputs and states once."""
        states = self.layers * (1 + self.bidirectional) * (2 if cell == "LSTM" else 1)
        moved = self.steps * self.weights(cell) + self.real_steps() * self.size * (1 + states)
        return 4.0 * moved

    def fewest_seconds(
        self, cell: str, limits: Mapping[str, Any], *, training: bool = False
    ) -> float:
        """Of a run, by what `machine_limits` found; of one step after the other, that of a step.

        Many samples take as long as their products at the peak. A single one meets the weights of
        the states only once a step: they are read as fast as the caches of the cores allow, and all
        weights are where there is only one step, as much as does not fit these from the cache that
        they share. The equations of the cells come on top.
        """
        equations = limits.get("units_per_us", {}).get(cell)  # not measured on every machine yet
        kinds = ("forward", "backward")[: 1 + training]
        units = self.real_steps() * self.size * self.layers * (1 + self.bidirectional)
        elementwise = 0 if equations is None else sum(units / equations[kind] for kind in kinds)
        of_states = self.layers * self._rows(cell) * self.size
        if self.batch > 1 or training:
            products = self.flops(cell, training=training) / (1e9 * limits["gflops"])
        elif self.steps > 1:
            multiplied = 2.0 * (self.weights(cell) - of_states) / limits["gflops"]
            read = 4.0 * of_states / limits["private_cache_gbs"]
            products = self.steps * (multiplied + read) / 1e9
        else:
            near = min(4.0 * self.weights(cell), 1024.0 * limits["private_cache_kib"])
            far = 4.0 * self.weights(cell) - near
            read = near / limits["private_cache_gbs"] + far / limits["shared_cache_gbs"]
            products = read / 1e9
        return products + elementwise / 1e6

    def _rows(self, cell: str) -> int:
        """Of the weights of a layer, in all directions."""
        return (1 + self.bidirectional) * GATES[cell] * self.size


LARGE = Case("large", 64, 50, 512, bidirectional=True)
MIDDLE = Case("middle", 32, 100, 256)
ONE_SAMPLE = Case("one sample", 1, 100, 256)
RAGGED = Case("ragged", 64, 100, 256, bidirectional=True, ragged=True)
SMALL = Case("small", 1, 10, 32)
CASES = (LARGE, MIDDLE, ONE_SAMPLE, RAGGED, SMALL)
STREAM = Case("one step", 1, 1, 256)
