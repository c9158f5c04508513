"""Lines of text as a picture, for the parts of a report that are words."""

from __future__ import annotations

from collections.abc import Sequence

from ._drawing import Drawing
from ._markup import Markup, element, escaped, joined
from ._symbol import columns

LINE = 19.0
LETTER = 7.4


def lines_drawing(title: str, lines: Sequence[str]) -> Drawing:
    """A heading and fixed-width lines under it."""
    pieces: list[Markup] = [element("text", {"x": 0, "y": 14, "class": "heading"}, escaped(title))]
    for place, line in enumerate(lines):
        y = 14 + LINE * (place + 1) + 4
        pieces.append(element("text", {"x": 0, "y": y, "class": "mono"}, escaped(line)))
    longest = max((columns(line) for line in [title, *lines]), default=0)
    return Drawing(
        width=longest * LETTER,
        height=14 + LINE * len(lines) + 8,
        body=joined(pieces),
        title=title,
    )
