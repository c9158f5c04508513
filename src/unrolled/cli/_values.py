"""What an option accepts: each function here makes a converter that says what it expected.

A converter takes what was typed, or what YAML made of it, and gives the value; given its own
result it gives the same again. jsonargparse calls it for both sources.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence


class UnacceptableError(ArgumentTypeError, ValueError):
    """A value an option does not accept.

    Both parents are needed: the first lets argparse show the message for a typed value, the
    second lets jsonargparse show it for a value in a configuration file.
    """


def whole(minimum: int, most: int = 2**31 - 1) -> Callable[[object], int]:
    """A whole number of at least ``minimum`` and at most ``most``, which few can mean to exceed."""

    def convert(value: object) -> int:
        try:
            number = int(str(value).replace("_", ""))
        except ValueError:
            number = minimum - 1
        if number < minimum:
            raise UnacceptableError(f"expected a whole number of at least {minimum}, got {value!r}")
        if number > most:
            raise UnacceptableError(f"expected a whole number of at most {most}, got {value!r}")
        return number

    return convert


def wholes(minimum: int) -> Callable[[object], tuple[int, ...]]:
    """Whole numbers of at least ``minimum``, with commas between them, or as a list in YAML."""
    one = whole(minimum)
    expected = f"expected whole numbers of at least {minimum}, such as 5,3"

    def convert(value: object) -> tuple[int, ...]:
        pieces = value if isinstance(value, list | tuple) else str(value).split(",")
        try:
            return tuple(one(str(piece).strip()) for piece in pieces)
        except UnacceptableError:
            raise UnacceptableError(f"{expected}, got {value!r}") from None

    return convert


def one_of(choices: Sequence[str]) -> Callable[[object], str]:
    """One of these words."""

    def convert(value: object) -> str:
        if value not in choices:
            raise UnacceptableError(f"expected one of {', '.join(choices)}, got {value!r}")
        return str(value)

    return convert


def real(
    *,
    above: float | None = None,
    minimum: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
) -> Callable[[object], float]:
    """A finite number within the limits given."""
    limits = [
        f"{word} {limit:g}"
        for word, limit in (
            ("above", above),
            ("of at least", minimum),
            ("below", below),
            ("of at most", maximum),
        )
        if limit is not None
    ]
    expected = "a number " + " and ".join(limits) if limits else "a number"

    def convert(value: object) -> float:
        try:
            given = float(str(value))
        except ValueError:
            given = math.nan
        fits = (
            math.isfinite(given)
            and (above is None or given > above)
            and (minimum is None or given >= minimum)
            and (below is None or given < below)
            and (maximum is None or given <= maximum)
        )
        if not fits:
            raise UnacceptableError(f"expected {expected}, got {value!r}")
        return given

    return convert


def text(value: object) -> str:
    """Any text."""
    return str(value)


def column(value: object) -> int | str:
    """A column: its number, counted from 1, or the name in the header line."""
    given = str(value)
    expected = "expected a column number, counted from 1, or a name"
    if not given:
        raise UnacceptableError(f"{expected}, got nothing")
    if not given.lstrip("-").isdigit():
        return given
    if int(given) < 1:
        raise UnacceptableError(
            f"expected a column number, counted from 1, or a name, got {value!r}"
        )
    return int(given)


def separator(value: object) -> str:
    r"""A piece of text between two things; ``\t`` and ``\n`` may be typed as such."""
    given = str(value).replace("\\t", "\t").replace("\\n", "\n")
    if not given:
        raise UnacceptableError("expected at least one character, got nothing")
    return given


def devices(value: object) -> int | str:
    """How many devices: a whole number of at least 1, or ``auto``."""
    given = str(value)
    if given == "auto":
        return given
    if not given.isdigit() or int(given) < 1:
        raise UnacceptableError(f"expected a whole number of at least 1, or auto, got {value!r}")
    return int(given)
