"""Reads back what a picture shows, and holds it against the layout and the definition."""

import itertools
from dataclasses import dataclass
from xml.etree import ElementTree

from unrolled.explanation import GridPart
from unrolled.grid import Layout, StateAddress

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class DrawnState:
    """One box of a grid picture: its address, the tensors it is marked for, and where it is."""

    address: StateAddress
    tensors: frozenset[str]
    edges: frozenset[str]
    title: str
    selected: bool
    in_field: bool
    chosen: bool
    x: float
    y: float
    width: float
    height: float


def _has_class(element: ElementTree.Element, name: str) -> bool:
    return name in element.get("class", "").split()


def _state(group: ElementTree.Element) -> DrawnState:
    frame = next(rect for rect in group.iter(f"{SVG}rect") if _has_class(rect, "frame"))
    edges = (path for path in group.iter(f"{SVG}path") if _has_class(path, "edge"))
    title = group.find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    selected = group.get("data-selected") == "true"
    assert selected == any(_has_class(rect, "ring") for rect in group.iter(f"{SVG}rect"))
    assert selected == ("selected" in title.text.split("\n"))
    framed = {name for rect in group.iter(f"{SVG}rect") for name in rect.get("class", "").split()}
    in_field = group.get("data-field") == "true"
    assert in_field == ("field" in framed) == ("receptive field" in title.text)
    x, y, width, height = (float(frame.attrib[name]) for name in ("x", "y", "width", "height"))
    return DrawnState(
        StateAddress.parse(group.attrib["data-address"]),
        frozenset(group.attrib["data-tensors"].split()),
        frozenset(edge.attrib["class"].split()[1] for edge in edges),
        title.text,
        selected,
        in_field,
        "chosen" in framed,
        x,
        y,
        width,
        height,
    )


def drawn_grids(document: str) -> list[list[DrawnState]]:
    """The states of each grid in an SVG or HTML document, in the order they are drawn."""
    root = ElementTree.fromstring(document.removeprefix("<!DOCTYPE html>\n"))
    grids = []
    for parent in root.iter():
        states = [child for child in parent if _has_class(child, "state")]
        if states:
            grids.append([_state(group) for group in states])
    return grids


def layout_of(part: GridPart) -> Layout:
    """Where the states of this grid stand, as `unrolled.grid` has it."""
    shape = part.shape
    return Layout(shape.num_layers, shape.bidirectional, steps=part.steps, lengths=[part.length])


def _marked(states: list[DrawnState], tensor: str) -> set[StateAddress]:
    marked = {state.address for state in states if tensor in state.tensors}
    assert marked == {state.address for state in states if tensor in state.edges}
    assert marked == {state.address for state in states if f"{tensor}[" in state.title}
    return marked


def check_grid(part: GridPart, states: list[DrawnState]) -> None:
    """What holds of every picture of a grid, whoever drew it."""
    shape, length = part.shape, part.length
    kinds = ("hidden", "cell") if shape.has_cell_state else ("hidden",)
    every = [
        StateAddress(kind, layer, direction, step)
        for kind in kinds
        for layer in range(shape.num_layers)
        for direction in shape.directions
        for step in range(length)
    ]
    assert sorted(state.address for state in states) == sorted(every)

    layout = layout_of(part)
    output = _marked(states, "output")
    hidden_state = _marked(states, "hidden_state")
    cell_state = _marked(states, "cell_state")
    assert output == set(layout.output)
    assert hidden_state == set(layout.hidden_state)
    assert cell_state == (set(layout.cell_state) if shape.has_cell_state else set())

    # And once more in the words of the definition, without the layout.
    top, last = shape.num_layers - 1, {"forward": length - 1, "reverse": 0}
    assert output == {a for a in every if a.kind == "hidden" and a.layer == top}
    finals = {a for a in every if a.step == last[a.direction]}
    assert hidden_state == {a for a in finals if a.kind == "hidden"}
    assert cell_state == {a for a in finals if a.kind == "cell"}
    assert len(output & hidden_state) == shape.num_directions
    assert (hidden_state <= output) == (shape.num_layers == 1)


def check_places(part: GridPart, states: list[DrawnState]) -> None:
    """Columns are steps, layer 0 is the lowest row, and no two boxes touch."""
    columns = {state.address.step: state.x for state in states}
    assert all(state.x == columns[state.address.step] for state in states)
    ordered = [columns[step] for step in sorted(columns)]
    assert ordered == sorted(set(ordered))
    tops: dict[int, set[float]] = {}
    for state in states:
        tops.setdefault(state.address.layer, set()).add(state.y)
    for layer in range(part.shape.num_layers - 1):
        assert max(tops[layer + 1]) < min(tops[layer])
    lanes = {(s.address.layer, s.address.direction, s.address.kind): s for s in states}
    rows = sorted((state.y, state.y + state.height) for state in lanes.values())
    assert all(above[1] <= below[0] for above, below in itertools.pairwise(rows))
    widths = {state.width for state in states}
    assert all(a + max(widths) < b for a, b in itertools.pairwise(ordered))
