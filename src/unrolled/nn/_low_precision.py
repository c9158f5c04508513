"""Weights of a low precision."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Precision = Literal["bf16", "int8"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
WEIGHT_TYPES: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "int8": torch.int8}

# Its inverse would be infinite; the kernels draw the same line for the values they multiply.
_SMALLEST = 1e-35


def low_weight(
    weight: Float[Tensor, "columns depth"], precision: Precision
) -> tuple[Tensor, Tensor | None]:
    """A weight in a low precision.

    Args:
        weight: float32.
        precision: bf16 rounds each element to the nearest, ties to even. int8 rounds each row to
            127 steps on both sides of 0, where the largest element is 127 steps.

    Returns:
        The weight and, of int8, the size of a step for each row.
    """
    if precision == "bf16":
        return weight.to(torch.bfloat16), None
    largest = weight.abs().amax(dim=1) if weight.shape[1] else weight.new_zeros(len(weight))
    per_step = torch.where(largest > _SMALLEST, 127 / largest, 0)
    return (weight * per_step[:, None]).round().to(torch.int8), largest / 127
