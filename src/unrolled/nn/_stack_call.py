"""What an engine is given and what it returns."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..grid import StackShape
from ._weights import LayerWeights


@dataclass(slots=True)  # freezing one would take longer than the step of a small layer
class StackCall:
    """One run of a recurrent stack, in the one form that engines see.

    Attributes:
        shape: the stack.
        weights: one `LayerWeights` per row of `hidden_state`.
        x: the input, time first.
        h0: initial hidden states, a row per layer and direction.
        c0: initial cell states; only for an LSTM.
        lengths: real steps of each sample; `None` when every step is real.
        dropout: probability of zeroing an element between layers.
        training: whether dropout is active.
    """

    shape: StackShape
    weights: list[LayerWeights]
    x: Float[Tensor, "step batch input"]
    h0: Float[Tensor, "row batch hidden"]
    c0: Float[Tensor, "row batch cell"] | None
    lengths: Int[Tensor, "batch"] | None
    dropout: float
    training: bool

    def given(self) -> list[Tensor]:
        """The input and the states before the first step."""
        return [self.x, self.h0] + ([] if self.c0 is None else [self.c0])

    def real_steps(self) -> Bool[Tensor, "step batch"] | None:
        """Which steps are real; `None` when all are."""
        if self.lengths is None:
            return None
        steps = torch.arange(self.x.shape[0], device=self.x.device)
        return steps[:, None] < self.lengths.to(self.x.device)[None, :]

    def grid_of(self, rows: list[list[Tensor]]) -> Float[Tensor, "layer direction step batch size"]:
        """Stack states given per row and step into a grid, padded steps set to 0.

        Args:
            rows: per row of `hidden_state`, a (batch, size) state for each step.
        """
        return self.grid_of_planes([torch.stack(row) for row in rows])

    def grid_of_planes(
        self, planes: list[Tensor]
    ) -> Float[Tensor, "layer direction step batch size"]:
        """Stack a plane per row into a grid, padded steps set to 0.

        Args:
            planes: per row of `hidden_state`, (step, batch, size).
        """
        grid = torch.stack(planes)
        grid = grid.reshape(self.shape.num_layers, self.shape.num_directions, *grid.shape[1:])
        real = self.real_steps()
        return grid if real is None else grid.where(real[..., None], 0)


class TopStates(NamedTuple):
    """What a plain call returns; `cell_state` is `None` but for an LSTM."""

    output: Float[Tensor, "step batch output"]
    hidden_state: Float[Tensor, "row batch hidden"]
    cell_state: Float[Tensor, "row batch cell"] | None


class StackStates(NamedTuple):
    """Every state of a run; `cell` is `None` but for an LSTM."""

    hidden: Float[Tensor, "layer direction step batch hidden"]
    cell: Float[Tensor, "layer direction step batch cell"] | None
