"""How a state in the receptive field of a chosen one is marked in pictures."""

from __future__ import annotations

from ._markup import Markup, element

_INSET = 3.0


def field_mark(x: float, y: float, width: float, height: float, chosen: bool) -> Markup:
    """A dashed frame just inside the box of a state; of the chosen state itself it has no gaps."""
    return element(
        "rect",
        {
            "class": "field chosen" if chosen else "field",
            "x": x + _INSET,
            "y": y + _INSET,
            "width": width - 2 * _INSET,
            "height": height - 2 * _INSET,
            "rx": 3,
        },
    )
