"""One state of the grid picture: a box that shows its value, or the tensors that hold it."""

from __future__ import annotations

from ..grid import StateAddress
from ._field_mark import field_mark
from ._grid_geometry import GridGeometry, side_of
from ._grid_part import GridPart, StateEntry, Tensor
from ._grid_words import describe_state
from ._markup import Attribute, Markup, element, escaped, number

_Box = tuple[float, float, float, float]


def state_box(part: GridPart, at: GridGeometry, entry: StateEntry) -> Markup:
    """One state: filled by the tensors that hold it, or shaded by its norm, and edged."""
    address = entry.address
    box = at.box(address)
    x, y, width, height = box
    frame: dict[str, Attribute] = {"x": x, "y": y, "width": width, "height": height, "rx": 5}
    pieces = [element("title", {}, escaped(describe_state(part, entry)))]
    share = part.shade(entry)
    if share is not None:
        pieces.append(element("rect", {"class": "box", **frame}))
        pieces.append(element("rect", {"class": "shade", **frame, "fill-opacity": share}))
    elif part.values:
        pieces.append(element("rect", {"class": "box", **frame}))
    else:
        pieces += _fills(entry, frame, box)
    pieces.append(element("rect", {"class": "frame", **frame}))
    if entry.selected:
        pieces.append(element("rect", {"class": "ring", **frame}))
    if address in part.field:
        pieces.append(field_mark(*box, address == part.chosen))
    pieces += [_edge(tensor, address, box) for tensor in entry.tensors]
    pieces.append(_letter(entry, x + width / 2, y + height / 2 + 4))
    return element(
        "g",
        {
            "class": "state",
            "data-address": str(address),
            "data-tensors": " ".join(entry.tensors),
            "data-selected": "true" if entry.selected else None,
            "data-field": "true" if address in part.field else None,
            "data-read": " ".join(map(str, part.has_read(address))),
        },
        *pieces,
    )


def _letter(entry: StateEntry, x: float, y: float) -> Markup:
    is_hidden = entry.address.kind == "hidden"
    classes = "middle" if is_hidden else "middle small"
    classes += " strong" if entry.selected else ""
    return element("text", {"x": x, "y": y, "class": classes}, escaped("h" if is_hidden else "c"))


def _fills(entry: StateEntry, frame: dict[str, Attribute], box: _Box) -> list[Markup]:
    """The ground of a state without a value: that of its tensor, or of both, or selected."""
    tensors = entry.tensors
    pieces = [element("rect", {"class": "box", **frame})]
    if entry.selected:
        return [*pieces, element("rect", {"class": "fill-selected", **frame})]
    if tensors:
        pieces.append(element("rect", {"class": f"fill-{tensors[0]}", **frame}))
    if len(tensors) == 2:
        half = _half(entry.address, box)
        pieces.append(element("path", {"class": f"fill-{tensors[1]}", "d": half}))
    return pieces


def _half(address: StateAddress, box: _Box) -> str:
    """The lower triangle on the side where the direction ends."""
    x, y, width, height = box
    right, foot = x + width, y + height
    if side_of(address.direction) == 1:
        return (
            f"M{number(x + 3)} {number(foot)}H{number(right - 5)}"
            f"Q{number(right)} {number(foot)} {number(right)} {number(foot - 5)}"
            f"V{number(y + 3)}z"
        )
    return (
        f"M{number(right - 3)} {number(foot)}H{number(x + 5)}"
        f"Q{number(x)} {number(foot)} {number(x)} {number(foot - 5)}"
        f"V{number(y + 3)}z"
    )


def _edge(tensor: Tensor, address: StateAddress, box: _Box) -> Markup:
    """The thick side of a state in a tensor: top for `output`, right or left for the finals."""
    x, y, width, height = box
    if tensor == "output":
        path = f"M{number(x + 4)} {number(y)}h{number(width - 8)}"
    else:
        side = x + width if side_of(address.direction) == 1 else x
        path = f"M{number(side)} {number(y + 4)}v{number(height - 8)}"
    return element("path", {"class": f"edge {tensor}", "d": path})
