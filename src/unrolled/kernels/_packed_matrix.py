"""A weight matrix packed for products."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ._isa import available_isas, isa, native
from ._reference import multiply

Floats = npt.NDArray[np.float32]


class PackedMatrix:
    """A weight matrix that is packed once and multiplied often: C = A Wᵀ + b, in float32.

    Compiled, a row of C is the same, bit for bit, whatever the other rows of A are.

    Args:
        weight: W, (columns, depth).
        bias: b, (columns,); 0 when absent.
        isa: instruction set; the one in use when absent.

    Raises:
        TypeError: an array is not float32.
        ValueError: a rank, size or instruction set does not fit.
    """

    def __init__(
        self, weight: Floats, bias: Floats | None = None, *, isa: str | None = None
    ) -> None:
        _check("weight", weight, 2)
        if bias is not None:
            _check("bias", bias, 1)
            if len(bias) != len(weight):
                raise ValueError(
                    f"bias has {len(bias)} elements; it must have one for each of the "
                    f"{len(weight)} rows of the weight."
                )
        self.isa = _resolve(isa)
        self.shape = weight.shape
        module = native()
        self._packed: Any = (
            _Copy(weight, bias)
            if module is None
            else module.PackedMatrix(
                _in_order(weight), None if bias is None else _in_order(bias), self.isa
            )
        )

    def multiply(self, a: Floats) -> Floats:
        """A Wᵀ + b.

        Args:
            a: A, (rows, depth). Rows may lie apart; a copy is made only where the elements of a
                row do.

        Returns:
            (rows, columns), a new array.

        Raises:
            TypeError: it is not float32.
            ValueError: its rank or size does not fit.
        """
        _check("a", a, 2)
        if a.shape[1] != self.shape[1]:
            raise ValueError(
                f"a has {a.shape[1]} columns, shape {a.shape}; this weight takes {self.shape[1]}."
            )
        side_by_side = a.shape[1] < 2 or a.strides[1] == a.itemsize
        whole_floats = a.strides[0] % a.itemsize == 0 and a.flags.aligned
        result: Floats = self._packed.multiply(a if side_by_side and whole_floats else _in_order(a))
        return result


class _Copy:
    """The same without a compiled module: a copy, since a pack does not follow its weight."""

    def __init__(self, weight: Floats, bias: Floats | None) -> None:
        self._weight, self._bias = weight.copy(), None if bias is None else bias.copy()

    def multiply(self, a: Floats) -> Floats:
        result: Floats = multiply(a, self._weight, self._bias)
        return result


def _in_order(array: Floats) -> Floats:
    return np.require(array, requirements=["C", "A"])


def _resolve(name: str | None) -> str:
    if name is None:
        return isa().name
    if name not in available_isas():
        raise ValueError(f"isa is {name!r}; this machine runs {', '.join(available_isas())}.")
    return name


def _check(name: str, array: object, rank: int) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name} is {kind}; give a NumPy array of float32.")
    if array.ndim != rank:
        raise ValueError(f"{name} has {array.ndim} axes, shape {array.shape}; it must have {rank}.")
