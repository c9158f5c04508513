"""The thirty mistakes, and how one of them is found by its code."""

from __future__ import annotations

from difflib import get_close_matches

from ..errors import UsageError
from ._mistake import Mistake
from ._mistakes_of_axes import OF_AXES
from ._mistakes_of_padding import OF_PADDING
from ._mistakes_of_settings import OF_SETTINGS
from ._mistakes_of_states import OF_STATES
from ._mistakes_of_time import OF_TIME

MISTAKES: dict[str, Mistake] = {
    one.code: one
    for one in sorted(
        (*OF_STATES, *OF_AXES, *OF_PADDING, *OF_TIME, *OF_SETTINGS), key=lambda one: one.code
    )
}
"""Every mistake that the doctor looks for, by its code, `"M01"` first."""


def mistake(code: str) -> Mistake:
    """The mistake of that code; small letters and a missing zero are forgiven.

    Raises:
        UsageError: no mistake has that code; the message names the nearest.

    >>> mistake("m3").title
    'hidden_state is flattened with view, which mixes samples'
    """
    plain = code.strip().upper()
    number = plain.removeprefix("M")
    if number.isascii() and number.isdigit() and len(number) < 3:
        plain = f"M{int(number):02d}"
    if plain in MISTAKES:
        return MISTAKES[plain]
    near = get_close_matches(plain, MISTAKES, n=1, cutoff=0.6)
    guess = f" (did you mean {near[0]}?)" if near else ""
    first, *_, last = MISTAKES
    raise UsageError(f"there is no mistake {code!r}{guess}; the codes are {first} to {last}")
