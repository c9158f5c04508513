"""The key of the grid picture: which mark means which tensor."""

from __future__ import annotations

from ._drawing import Drawing
from ._field_mark import field_mark
from ._grid_part import GridPart
from ._markup import Attribute, Markup, element, escaped, joined, number

SWATCH = 30.0
HEIGHT = 20.0
LINE = 30.0


def _swatch(y: float, *marks: str) -> list[Markup]:
    frame: dict[str, Attribute] = {
        "x": 2,
        "y": y,
        "width": SWATCH,
        "height": HEIGHT,
        "rx": 5,
    }
    pieces = [element("rect", {"class": "box", **frame})]
    if marks and marks != ("field",):
        pieces.append(element("rect", {"class": f"fill-{marks[0]}", **frame}))
    right, foot = 2 + SWATCH, y + HEIGHT
    if len(marks) == 2:
        half = (
            f"M5 {number(foot)}H{number(right - 5)}Q{number(right)} {number(foot)} "
            f"{number(right)} {number(foot - 5)}V{number(y + 3)}z"
        )
        pieces.append(element("path", {"class": f"fill-{marks[1]}", "d": half}))
    pieces.append(element("rect", {"class": "frame", **frame}))
    for mark in marks:
        if mark == "selected":
            pieces.append(element("rect", {"class": "ring", **frame}))
            continue
        if mark == "field":
            pieces.append(field_mark(2, y, SWATCH, HEIGHT, chosen=False))
            continue
        if mark == "output":
            path = f"M6 {number(y)}h{number(SWATCH - 8)}"
        else:
            path = f"M{number(right)} {number(y + 4)}v{number(HEIGHT - 8)}"
        pieces.append(element("path", {"class": f"edge {mark}", "d": path}))
    return pieces


def swatch_drawing(*marks: str) -> Drawing:
    """One box with the marks of these tensors."""
    return Drawing(SWATCH + 6, HEIGHT + 5, joined(_swatch(3, *marks)), " and ".join(marks))


def legend_drawing(part: GridPart, selected: bool = False) -> Drawing:
    """One line for each mark that the picture of this grid uses.

    Args:
        part: the grid.
        selected: whether states are marked as selected.
    """
    shape = part.shape
    where = "the step each direction computes last" if shape.bidirectional else "the last step"
    deep = shape.num_layers > 1
    overlap = "the last layer's part of hidden_state" if deep else "all of hidden_state"
    lines: list[tuple[tuple[str, ...], str, str]] = [
        (("output",), "output", "the last layer, at every step"),
        (("hidden_state",), "hidden_state", f"every layer, at {where}"),
        (("output", "hidden_state"), "both", overlap),
    ]
    if shape.has_cell_state:
        lines.append(
            (("cell_state",), "cell_state", "the c of the same places; output never holds c")
        )
    if selected:
        lines.append((("selected",), "selected", "what the tensor in question holds"))
    if part.field_of:
        words = f"what {part.field_of} was computed from; its own frame has no gaps"
        lines.append((("field",), "field", words))
    pieces: list[Markup] = []
    for place, (marks, name, words) in enumerate(lines):
        y = 2 + place * LINE
        pieces += _swatch(y, *marks)
        tone = "strong" if len(marks) == 2 or marks == ("field",) else f"name-{marks[0]}"
        pieces.append(element("text", {"x": 44, "y": y + 14, "class": tone}, escaped(name)))
        pieces.append(element("text", {"x": 150, "y": y + 14}, escaped(words)))
    return Drawing(
        width=150 + 7.2 * max(len(words) for _, _, words in lines),
        height=len(lines) * LINE,
        body=joined(pieces),
        title="Key",
    )
