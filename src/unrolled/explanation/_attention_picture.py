"""Attention as a heat map: source symbols across, target symbols down."""

from __future__ import annotations

from ._attention_part import AttentionPart
from ._drawing import Drawing
from ._markup import Attribute, Markup, element, escaped, joined
from ._symbol import columns, isolated, shortened, shown, shown_text

CELL = 26.0
GAP = 2.0
SYMBOL_LIMIT = 10
SYMBOL_WIDTH = 10.2


def _width(symbols: tuple[str, ...]) -> float:
    longest = max((min(columns(shown(symbol)), SYMBOL_LIMIT) for symbol in symbols), default=0)
    return longest * SYMBOL_WIDTH


def _symbol(x: float, y: float, symbol: str, anchor: str) -> Markup:
    whole = shown(symbol)
    return element(
        "text",
        {"x": x, "y": y, "class": f"symbol {anchor}", "data-symbol": symbol},
        element("title", {}, escaped(isolated(whole))),
        escaped(shortened(whole, SYMBOL_LIMIT)),
    )


def attention_drawing(part: AttentionPart) -> Drawing:
    """The heat map of one prediction; each square carries its weight."""
    pitch = max(CELL + GAP, _width(part.source) + 8)
    left = max(_width(part.target), 34.0) + 12
    top = 26.0
    pieces: list[Markup] = []
    for column, symbol in enumerate(part.source):
        pieces.append(_symbol(left + (column + 0.5) * pitch, top - 9, symbol, "middle"))
    for row, (symbol, weights) in enumerate(zip(part.target, part.weights, strict=True)):
        y = top + row * (CELL + GAP)
        pieces.append(_symbol(left - 10, y + CELL / 2 + 5, symbol, "end"))
        for column, weight in enumerate(weights):
            frame: dict[str, Attribute] = {
                "x": left + column * pitch + GAP / 2,
                "y": y,
                "width": pitch - GAP,
                "height": CELL,
                "rx": 4,
            }
            words = f"{isolated(shown(symbol))} reads {isolated(shown(part.source[column]))}"
            pieces.append(
                element(
                    "g",
                    {"class": "weight", "data-row": str(row), "data-column": str(column)},
                    element("title", {}, escaped(f"{words}: {weight:.3f}")),
                    element("rect", {"class": "heat-low", **frame}),
                    element("rect", {"class": "heat", **frame, "fill-opacity": weight}),
                )
            )
    strongest = []
    for symbol, weights in zip(part.target, part.weights, strict=True):
        most = part.source[weights.index(max(weights))]
        strongest.append(f"{isolated(shown(symbol))} reads {isolated(shown(most))}")
    return Drawing(
        width=left + len(part.source) * pitch,
        height=top + len(part.target) * (CELL + GAP),
        body=joined(pieces),
        title=f"Attention of {shown_text(part.name)}",
        description="Where each target symbol looked most: " + "; ".join(strongest) + ".",
    )
