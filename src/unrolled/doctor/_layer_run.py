"""One recorded run of a recurrent layer: what went in, what came out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


@dataclass(eq=False)
class LayerRun:
    """A call of a layer or of a cell; a cell's is a run of one step.

    What came out stands here cut from what went in, so that a gradient with regard to it says who
    reads this very tensor.
    """

    index: int
    module: str
    """Qualified name of the submodule that was running."""
    cell: str
    """`"lstm"`, `"gru"` or `"rnn"`."""
    single: bool
    """Whether it was a cell."""
    num_layers: int
    num_directions: int
    steps_first: bool
    """Whether a padded input has the steps before the batch."""
    batch_sizes: Tensor | None
    """Of a packed input."""
    input: Tensor
    h_0: Tensor
    c_0: Tensor | None
    output: Tensor | None
    """None for a cell, whose one state is `h_n`."""
    h_n: Tensor
    c_n: Tensor | None
    given_lengths: tuple[int, ...] | None = None
    """What a layer of `unrolled.nn` was told."""

    @property
    def bidirectional(self) -> bool:
        """Whether there are two directions."""
        return self.num_directions == 2

    @property
    def packed(self) -> bool:
        """Whether the input was packed."""
        return self.batch_sizes is not None

    @property
    def ragged(self) -> bool:
        """Whether the layer itself knows the lengths."""
        return self.packed or self.given_lengths is not None

    @property
    def padded_input(self) -> Tensor:
        """(step, lane, input): a lane is a sample as the layer has it."""
        return self.padded(self.input)

    @property
    def steps(self) -> int:
        """How many steps were computed."""
        return int(self.padded_input.shape[0])

    @property
    def lanes(self) -> int:
        """How many samples the layer sees."""
        return int(self.padded_input.shape[1])

    @property
    def lengths(self) -> list[int]:
        """Steps of each lane."""
        if self.given_lengths is not None:
            return list(self.given_lengths)
        if self.batch_sizes is None:
            return [self.steps] * self.lanes
        return [int((self.batch_sizes > lane).sum()) for lane in range(self.lanes)]

    def padded(self, values: Tensor) -> Tensor:
        """What lies as the input or `output` does, as (step, lane, unit).

        Args:
            values: shaped as `input` or `output`.
        """
        if self.single:
            return values.unsqueeze(0)
        if self.batch_sizes is not None:
            return pad_packed_sequence(PackedSequence(values, self.batch_sizes))[0]
        return values if self.steps_first else values.transpose(0, 1)

    def rows(self, values: Tensor) -> Tensor:
        """What lies as h_0 or h_n does, as (row, lane, unit).

        Args:
            values: shaped as `h_0` or `h_n`.
        """
        return values.unsqueeze(0) if self.single else values

    def halves(self, values: Tensor) -> Tensor:
        """What lies as `output` does, as (step, lane, direction, unit).

        Args:
            values: shaped as `output`.
        """
        padded = self.padded(values)
        return padded.reshape(*padded.shape[:2], self.num_directions, -1)

    def leaves(self) -> dict[str, Tensor]:
        """The tensors that came out, by name."""
        found = {"h_n": self.h_n}
        if self.output is not None:
            found["output"] = self.output
        if self.c_n is not None:
            found["c_n"] = self.c_n
        return found


@dataclass(eq=False)
class SoftmaxCall:
    """A softmax that was computed."""

    module: str
    scores: Tensor
    weights: Tensor
    dim: int


@dataclass(eq=False)
class AttentionCall:
    """Attention that was computed by one call of PyTorch."""

    module: str
    memory: Tensor
    """The values that were weighed."""
    result: Tensor
    batch_axis: int
    step_axis: int
    """Of the memory, and for the queries of the result."""


@dataclass(eq=False)
class Reshape:
    """A `view` or `reshape` that was taken."""

    module: str
    before: Tensor
    after: Tensor


@dataclass(eq=False)
class PaddedAgain:
    """A call of `pad_packed_sequence`."""

    module: str
    steps_first: bool
    packed_steps_first: bool | None
    """How the input of the last `pack_padded_sequence` lay, if there was one."""
    result: Tensor


@dataclass(eq=False)
class Lookup:
    """An embedding that was looked up, its vectors cut from the table."""

    module: str
    ids: Tensor
    vectors: Tensor


def cut(tensor: Tensor) -> Tensor:
    """The same values as a leaf of its own.

    Args:
        tensor: of floats.
    """
    return tensor.detach().requires_grad_(torch.is_floating_point(tensor))
