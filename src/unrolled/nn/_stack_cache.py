"""The compiled stacks of the layers there are."""

import weakref
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..grid import StackShape
from ..kernels import recurrent_stack

_FORM = attrgetter("shape", "dtype")


class CompiledStack:
    """A compiled stack, and the weights that it ran with last.

    Args:
        shape: the stack.
        precision: of its weights.
    """

    def __init__(self, shape: StackShape, precision: str) -> None:
        self.compiled: Any = recurrent_stack(shape, precision)
        self._num_rows = shape.num_rows
        self._last: tuple[list[Any], Any] = ([], None)

    def threads(self, steps: int, batch: int) -> int:
        """How many of PyTorch's threads a run is best given.

        Args:
            steps: of the run.
            batch: its samples.
        """
        return int(self.compiled.useful_threads(steps * batch, torch.get_num_threads()))

    def bound(self, weights: Sequence[Tensor]) -> Any:
        """The weights as the compiled stack takes them, which is told of them once.

        That is for as long as each stays where it is: it is the same memory, whatever is written
        there. A weight that is not contiguous is copied every time.

        Args:
            weights: of all rows, one after the other.
        """
        places = [*map(Tensor.data_ptr, weights), *map(_FORM, weights)]
        is_in_order = all(map(Tensor.is_contiguous, weights))
        last_places, bound = self._last
        if not is_in_order or places != last_places:
            plain = [readable(weight).numpy() for weight in weights]
            per_row = len(plain) // self._num_rows
            rows = [plain[at : at + per_row] for at in range(0, len(plain), per_row)]
            bound = self.compiled.bind(rows)
            self._last = (places, bound) if is_in_order else ([], None)
        return bound

    def forward(
        self,
        weights: Sequence[Tensor],
        x: np.ndarray,
        states: Sequence[np.ndarray],
        outputs: list[np.ndarray],
        finals: Sequence[np.ndarray],
        lengths: np.ndarray | None = None,
        cells: Sequence[np.ndarray] = (),
        gates: Sequence[np.ndarray] = (),
        ids: np.ndarray | None = None,
    ) -> None:
        """One run, into arrays that are there.

        Args:
            weights: of all rows, one after the other.
            x: the input, (step, batch, input), or a table.
            states: h and c before the first step; zeros when absent.
            outputs: of each layer, or of the last alone.
            finals: h and c after the last step.
            lengths: real steps of each sample.
            cells: c of each row at every step, if they are wanted.
            gates: of each row, if a gradient will be.
            ids: where `x` is a table, which of its rows is the input, (step, batch).
        """
        h0, c0, *_ = *states, None, None
        h_n, c_n, *_ = *finals, None
        threads = self.threads(*outputs[-1].shape[:2])
        self.compiled.forward(
            self.bound(weights), x, h0, c0, lengths, outputs, h_n, c_n, cells, gates, ids, threads
        )


# By the identity of the tensor that is first among the weights, as long as it lives: it tells whose
# they are. Whether they are still what was packed, the compiled stack sees for itself at every run.
_STACKS: dict[int, dict[tuple[StackShape, str], CompiledStack]] = {}


def stack_of(
    shape: StackShape, weights: Sequence[Tensor], precision: str = "fp32"
) -> CompiledStack:
    """The compiled stack that has most likely packed these weights before.

    Args:
        shape: the stack.
        weights: of all rows.
        precision: theirs.
    """
    first = weights[0]
    stacks = _STACKS.get(id(first))
    if stacks is None:
        stacks = _STACKS[id(first)] = {}
        weakref.finalize(first, _STACKS.pop, id(first), None)
    stack = stacks.get((shape, precision))
    if stack is None:
        stack = stacks[shape, precision] = CompiledStack(shape, precision)
    return stack


def readable(weight: Tensor) -> Tensor:
    """A weight as the bindings read it: in order, and bfloat16 by its bits.

    Args:
        weight: of any type that the kernels know.
    """
    plain = weight.detach().contiguous()
    return plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
