"""What the kernels compute, in NumPy: the definition of correct."""

from typing import Any

import numpy as np
import numpy.typing as npt


def multiply(
    a: npt.NDArray[np.floating[Any]],
    weight: npt.NDArray[np.floating[Any]],
    bias: npt.NDArray[np.floating[Any]] | None = None,
) -> Any:
    """A Wᵀ + b.

    Args:
        a: A, (rows, depth).
        weight: W, (columns, depth).
        bias: b, (columns,).
    """
    product = a @ weight.T
    return product if bias is None else product + bias
