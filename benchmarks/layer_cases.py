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
        """About the least time of a run by `machine_limits`: of its products and of its equations.

        Many samples take as long as their products at the peak. A single one meets the weights of
        the states only once a step: these are read as fast as the caches of the cores allow, and
        the inputs are multiplied at the peak. A single step reads all weights: what does not fit
        the caches of the cores comes from the one that they share.

        Args:
            cell: what is run.
            limits: of the machine; those of equations are not measured on every machine yet, and
                that of a single step needs `private_cache_kib`.
            training: whether forward and back, which is told of many samples only.
        """
        if training and self.batch == 1:
            raise ValueError("of the gradients of one sample no limit is known")
        if self.batch > 1:
            products = self.flops(cell, training=training) / (1e9 * limits["gflops"])
        elif self.steps > 1:
            products = self._seconds_of_one_sample(cell, limits)
        else:
            products = self._seconds_of_reading(cell, limits)
        if "units_per_us" not in limits:
            return products
        rates = limits["units_per_us"][cell]
        units = self.real_steps() * self.size * self.layers * (1 + self.bidirectional) / 1e6
        equations = units / rates["forward"]
        if training:
            equations += units / rates["backward"]
        return products + equations

    def _seconds_of_one_sample(self, cell: str, limits: Mapping[str, Any]) -> float:
        of_states = self.layers * self._rows(cell) * self.size
        read = 4.0 * of_states / (1e9 * limits["private_cache_gbs"])
        multiplied = 2.0 * (self.weights(cell) - of_states) / (1e9 * limits["gflops"])
        return self.steps * (read + multiplied)

    def _seconds_of_reading(self, cell: str, limits: Mapping[str, Any]) -> float:
        weights = 4.0 * self.weights(cell)
        near = min(weights, 1024.0 * limits["private_cache_kib"])
        far = weights - near
        return (near / limits["private_cache_gbs"] + far / limits["shared_cache_gbs"]) / 1e9

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
