"""XML written by hand, safely: text becomes markup only by being escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NewType

Markup = NewType("Markup", str)
"""A piece of well-formed XML (and of HTML). A plain `str` is not one, and mypy says so."""

Attribute = str | float | None

# What XML 1.0 can't hold, not even as a character reference (section 2.2, production Char).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> Markup:
    """Text as markup: `<`, `>`, `&` and quotes escaped, what XML forbids replaced by U+FFFD."""
    text = _FORBIDDEN.sub("\ufffd", text)
    for character, reference in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&quot;"),
        ("'", "&#39;"),
    ):
        text = text.replace(character, reference)
    return Markup(text)


def number(value: float) -> str:
    """A coordinate with at most two decimals and no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(tag: str, attributes: Mapping[str, Attribute], *children: Markup) -> Markup:
    """`<tag attributes>children</tag>`; an attribute of value `None` is left out."""
    written = "".join(
        f' {name}="{escaped(value if isinstance(value, str) else number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{''.join(children)}</{tag}>")


def joined(pieces: list[Markup], separator: str = "\n") -> Markup:
    """Pieces of markup as one; the separator is white space."""
    return Markup(separator.join(pieces))
