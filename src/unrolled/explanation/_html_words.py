"""The plain words of the page: how to read the grid."""

from __future__ import annotations

from ._grid_part import GridPart
from ._legend_picture import swatch_drawing
from ._markup import Markup, element, escaped

_OPENING = (
    "A recurrent network is a grid: a row for each layer, the input at the bottom, and a column "
    "for each step. Every box is one state."
)
_BOTH_WAYS = (
    " Here two directions run: forward from left to right, and reverse from right to left. A frame "
    "holds the two states of one layer at one step, and the layer above reads both."
)


def _item(words: tuple[tuple[str, str], ...], *marks: str) -> Markup:
    """A line of the key: a swatch, and words of which some are names of tensors."""
    pieces = [
        element("span", {"class": f"name-{tone}"}, escaped(text)) if tone else escaped(text)
        for text, tone in words
    ]
    swatch = swatch_drawing(*marks).svg()
    return element("li", {}, Markup(swatch), element("span", {}, *pieces))


def how_to_read(part: GridPart, selected: bool = False) -> Markup:
    """A paragraph and the key, fitted to what the grid has, and to whether states are selected."""
    shape = part.shape
    both, deep = shape.bidirectional, shape.num_layers > 1
    where = (
        "the forward ones at the last real step, on the right edge, the reverse ones at step 0, "
        "on the left edge"
        if both
        else "at the last real step, on the right edge"
    )
    overlap = (
        "the last layer's part of it. Each of the two also holds states that the other lacks"
        if deep
        else "all of it: with one layer, nothing in it is missing from output"
    )
    items = [
        _item(
            (
                ("output", "output"),
                (" is the top edge: the last layer, at every step", ""),
                (", forward and reverse side by side for the same step." if both else ".", ""),
            ),
            "output",
        ),
        _item(
            (
                ("hidden_state", "hidden_state"),
                (f" is where each direction ends, in every layer: {where}.", ""),
            ),
            "hidden_state",
        ),
        _item(
            (
                ("Both", ""),
                (" hold the states where the edges meet. Of ", ""),
                ("hidden_state", "hidden_state"),
                (f" that is {overlap}.", ""),
            ),
            "output",
            "hidden_state",
        ),
    ]
    if shape.has_cell_state:
        items.append(
            _item(
                (
                    ("cell_state", "cell_state"),
                    (
                        " is the c beside the h of hidden_state. A c stays in its own layer and "
                        "direction, and output never holds one.",
                        "",
                    ),
                ),
                "cell_state",
            )
        )
    if selected:
        items.append(
            _item((("Selected", "selected"), (" is what the tensor above holds.", "")), "selected")
        )
    if part.field_of:
        words = (
            f" in dashes is the receptive field of {part.field_of}: what it was computed from. Its "
            "own frame has no gaps."
        )
        items.append(_item((("Framed", ""), (words, "")), "field"))
    pieces = [
        element("p", {}, escaped(_OPENING + (_BOTH_WAYS if both else ""))),
        element("ul", {"class": "key"}, *items),
    ]
    if both:
        trap = (
            "Mind the last step of output: its reverse half stands at the beginning of its way and "
            "has taken a single step. What the reverse direction ends with is at step 0."
        )
        pieces.append(element("p", {"class": "note"}, escaped(trap)))
    if part.largest_norm and not part.values:
        pieces.append(element("p", {"class": "note"}, escaped(SHADES)))
    return Markup("\n".join(pieces))


ENCODER_TO_DECODER = (
    "Two things leave the encoder. Its output, one column for each source symbol, is the memory "
    "that attention reads at every step of the decoder. Its hidden_state goes through the bridge "
    "and becomes the state the decoder starts from."
)
SHADES = (
    "The fill of a state shows its norm: the fuller the shade, the nearer to the largest of its "
    "kind in the grid."
)
READOUT = "Point at a box, or move through the picture with Tab and the arrow keys."
