"""How a symbol looks on a page: whatever the user's text holds, one visible thing per symbol."""

from __future__ import annotations

import unicodedata

_NAMED = {" ": "␣", "\t": "⇥", "\n": "↵", "\u00a0": "⍽"}
_DOTTED_CIRCLE = "\u25cc"
_JOINERS = "\u200c\u200d"


def _visible(character: str, alone: bool) -> str:
    if character in _NAMED:
        return _NAMED[character]
    category = unicodedata.category(character)
    # Joiners shape their neighbours (Persian, emoji), so they are spelled out only when alone.
    if category == "Cf" and (alone or character not in _JOINERS):
        return f"U+{ord(character):04X}"
    if category in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp") or (category == "Zs"):
        return f"U+{ord(character):04X}"
    return character


def shown(symbol: str) -> str:
    """A symbol with its invisible characters made visible, a lone accent on a dotted circle.

    Characters that turn the direction of the text around them are spelled out as code points,
    so that no symbol can disturb its neighbours.
    """
    if not symbol:
        return "∅"
    text = "".join(_visible(character, len(symbol) == 1) for character in symbol)
    return _DOTTED_CIRCLE + text if unicodedata.category(text[0]) in ("Mn", "Me", "Mc") else text


def columns(text: str) -> int:
    """Columns a text takes in fixed-width type: wide characters two, combining ones none."""
    width = 0
    for character in text:
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        width += 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
    return width


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis, in at most `limit` columns."""
    if columns(text) <= limit:
        return text
    kept = ""
    for character in text:
        if columns(kept + character) > limit - 1:
            break
        kept += character
    return kept + "…"


def isolated(text: str) -> str:
    """The text, between directional isolates if it may run from right to left."""
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"\u2068{text}\u2069"
    return text


def shown_text(text: str) -> str:
    """A whole text on one line: spaces stay, other invisible characters become visible."""
    pieces = (" " if character == " " else _visible(character, False) for character in text)
    return isolated("".join(pieces)) if text else "∅"
