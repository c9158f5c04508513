"""The compiled stacks of the layers there are."""

import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..grid import StackShape
from ..kernels import recurrent_stack

# By the identity of the tensor that is first among the weights, as long as it lives: it tells whose
# they are. Whether they are still what was packed, the compiled stack sees for itself at every run.
_STACKS: dict[int, dict[tuple[StackShape, str], Any]] = {}


def stack_of(shape: StackShape, weights: Sequence[Tensor], precision: str = "fp32") -> Any:
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
    if (shape, precision) not in stacks:
        stacks[shape, precision] = recurrent_stack(shape, precision)
    return stacks[shape, precision]
