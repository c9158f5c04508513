"""Integers that a caller gives."""

import operator


def check_integer(value: object, name: str) -> int:
    """Take any integer, NumPy's too, and refuse what is not one; truth values are not.

    Args:
        value: what was given.
        name: what it is, for the message.

    Raises:
        TypeError: the value is not an integer.
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise TypeError(f"{name} is {value!r}, of type {type(value).__name__}; it must be an integer.")
