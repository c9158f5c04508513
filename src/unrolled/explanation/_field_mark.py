"""How a state in the receptive field of a chosen one is marked in pictures."""

from __future__ import annotations

from ._markup import Markup, element

_INSET = 3.0
_LOW, _LOW_INSET = 20.0, 1.5  # a low box has no room between its frame and its letter


def field_mark(x: float, y: float, width: float, height: float, chosen: bool) -> Markup:
    """A dashed frame just inside the box of a state; of the chosen state itself it has no gaps."""
    inset = _INSET if height >= _LOW else _LOW_INSET
    return element(
        "rect",
        {
            "class": "field chosen" if chosen else "field",
            "x": x + inset,
            "y": y + inset,
            "width": width - 2 * inset,
            "height": height - 2 * inset,
            "rx": 3,
        },
    )
