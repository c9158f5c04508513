"""A value that somebody gave, short enough for a sentence that refuses it."""

from __future__ import annotations

from typing import Any

_MOST = 40
"""Characters; what is longer is told by its kind alone."""


def shown(value: Any) -> str:
    """`"'x'"`, `"[1, 2]"`, or `"a Tensor"` where the value itself would fill lines.

    Args:
        value: of any kind.
    """
    text = repr(value)
    if len(text) <= _MOST and text.isprintable() and " at 0x" not in text:
        return text
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"
