"""Which library an array belongs to, without importing any but NumPy."""

import sys
from typing import Any

import numpy as np


def check_array(array: Any, name: str) -> None:
    """Refuse what is neither an array of the array API standard nor a PyTorch tensor.

    Args:
        array: what was given.
        name: what it is, for the message.

    Raises:
        TypeError: it is not an array.
    """
    if not hasattr(array, "__array_namespace__") and not _is_torch(array):
        raise TypeError(
            f"{name} is of type {type(array).__name__}; "
            "it must be a NumPy array or a PyTorch tensor."
        )


def library_of(array: Any) -> Any:
    """The functions for an array: NumPy, PyTorch, or whatever library made it."""
    if _is_torch(array):
        return sys.modules["torch"]
    return array.__array_namespace__()


def to_numpy(array: Any) -> Any:
    """The values alone, without gradient, on the CPU."""
    if not _is_torch(array):
        return np.asarray(array)
    array = array.detach().cpu()
    if str(array.dtype) == "torch.bfloat16":  # which NumPy does not have
        array = array.float()
    return array.numpy()


def _is_torch(array: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)
