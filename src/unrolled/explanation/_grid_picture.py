"""The layers x time grid as a picture: `output` is its top edge, `hidden_state` its side edges."""

from __future__ import annotations

from ..grid import Direction, StateAddress
from ._drawing import Drawing
from ._grid_geometry import (
    HIDDEN,
    NODE,
    RAIL_GAP,
    RAILS_APART,
    SLOT_MARGIN,
    SYMBOL_LIMIT,
    GridGeometry,
    side_of,
)
from ._grid_part import GridPart, Tensor, kinds
from ._grid_words import describe_grid, describe_padding
from ._markup import Attribute, Markup, element, escaped, joined, number
from ._state_box import state_box
from ._symbol import isolated, shortened, shown


def _words(x: float, y: float, text: str, classes: str) -> Markup:
    return element("text", {"x": x, "y": y, "class": classes}, escaped(text))


def _arrow(x: float, y: float, to_x: float, to_y: float) -> Markup:
    """A straight arrow along one axis, its head at the far end."""
    along = 1 if (to_x > x or to_y > y) else -1
    if y == to_y:
        head = f"M{number(to_x)} {number(to_y)}l{number(-6 * along)} -3.5v7z"
        to_x -= 5 * along
    else:
        head = f"M{number(to_x)} {number(to_y)}l-3.5 {number(-6 * along)}h7z"
        to_y -= 5 * along
    line = f"M{number(x)} {number(y)}L{number(to_x)} {number(to_y)}"
    return joined(
        [
            element("path", {"class": "arrow", "d": line}),
            element("path", {"class": "head", "d": head}),
        ],
        "",
    )


class _GridPicture:
    """Draws one grid. Each method draws one kind of thing and returns its markup."""

    def __init__(self, part: GridPart) -> None:
        self.part = part
        self.at = GridGeometry(part)

    def drawing(self) -> Drawing:
        pieces = [
            *self.lane_names(),
            *self.slots(),
            *self.flow(),
            *self.rails(),
            *self.symbols(),
            *(state_box(self.part, self.at, entry) for entry in self.part.states),
            *self.padding(),
        ]
        return Drawing(
            width=self.at.width,
            height=self.at.height,
            body=joined(pieces),
            title=f"Grid of states: {self.part.name}",
            description=describe_grid(self.part),
        )

    def lane_names(self) -> list[Markup]:
        shape = self.part.shape
        pieces = []
        for layer in range(shape.num_layers):
            middle = self.at.slot_top(layer) + self.at.slot_height / 2
            if not shape.bidirectional:
                pieces.append(_words(0, middle + 4, f"layer {layer}", "strong"))
                continue
            pieces.append(_words(0, middle + 4, f"layer {layer}", "strong"))
            for direction in shape.directions:
                y = self.at.lane_top(layer, direction) + HIDDEN / 2 + 4
                pieces.append(_words(50, y, direction, "muted small"))
        return pieces

    def slots(self) -> list[Markup]:
        """The frames that say: these directions stand side by side at this step."""
        if not self.part.shape.bidirectional:
            return []
        return [
            element(
                "rect",
                {
                    "class": "slot",
                    "x": self.at.x(step) - SLOT_MARGIN,
                    "y": self.at.slot_top(layer),
                    "width": NODE + 2 * SLOT_MARGIN,
                    "height": self.at.slot_height,
                    "rx": 9,
                },
            )
            for layer in range(self.part.shape.num_layers)
            for step in range(self.part.length)
        ]

    def flow(self) -> list[Markup]:
        """Arrows: along each lane in its direction, and up from each layer to the next."""
        pieces = []
        inset = 0.0 if self.part.shape.bidirectional else SLOT_MARGIN
        for layer in range(self.part.shape.num_layers):
            for direction in self.part.shape.directions:
                pieces += self.lane_flow(layer, direction)
            bottom = self.at.slot_top(layer) + self.at.slot_height - inset
            below = self.at.bottom + 22 if layer == 0 else self.at.slot_top(layer - 1) + inset
            for step in range(self.part.length):
                middle = self.at.x(step) + NODE / 2
                pieces.append(_arrow(middle, below, middle, bottom))
        return pieces

    def lane_flow(self, layer: int, direction: Direction) -> list[Markup]:
        pieces = []
        for kind in kinds(self.part.shape):
            for step in range(self.part.length - 1):
                here = StateAddress(kind, layer, direction, step)
                x, y, width, height = self.at.box(here)
                ends = x + width, self.at.x(step + 1)
                start, end = ends if direction == "forward" else ends[::-1]
                pieces.append(_arrow(start, y + height / 2, end, y + height / 2))
            if self.part.initial and direction == "forward":
                x, y, _, height = self.at.box(StateAddress(kind, layer, direction, 0))
                pieces.append(_arrow(x - 24, y + height / 2, x, y + height / 2))
        if self.part.initial and direction == "forward":
            y = self.at.lane_top(layer, direction) + self.at.node_height / 2 + 4
            words = _words(self.at.left - 30, y, shown(self.part.initial), "muted small end")
            pieces.append(words)
        return pieces

    def rail(self, tensor: Tensor, x: float, y: float, to_x: float, to_y: float) -> Markup:
        line = f"M{number(x)} {number(y)}L{number(to_x)} {number(to_y)}"
        return element("path", {"class": f"rail {tensor}", "d": line})

    def tick(self, tensor: Tensor, x: float, y: float, to_x: float, to_y: float) -> Markup:
        """From a state to the rail of a tensor that holds it."""
        dot = element("circle", {"class": f"dot-{tensor}", "cx": to_x, "cy": to_y, "r": 3})
        return joined([self.rail(tensor, x, y, to_x, to_y), dot], "")

    def rails(self) -> list[Markup]:
        pieces = self.output_rail()
        for direction in self.part.shape.directions:
            pieces += self.final_rails(direction)
        return pieces

    def output_rail(self) -> list[Markup]:
        y = self.at.output_rail
        first, last = (self.at.x(step) + NODE / 2 for step in (0, self.part.length - 1))
        inset = 0.0 if self.part.shape.bidirectional else SLOT_MARGIN
        pieces = [self.rail("output", first - NODE / 2, y, last + NODE / 2, y)]
        for step in range(self.part.length):
            x = self.at.x(step) + NODE / 2
            pieces.append(self.tick("output", x, self.at.top + inset, x, y))
        label = self.at.right + RAIL_GAP / 2
        pieces.append(_words(label, y - 1, "output", "name-output"))
        pieces.append(_words(label, y + 13, "last layer, every step", "muted small"))
        return pieces

    def final_rails(self, direction: Direction) -> list[Markup]:
        """The side edge where a direction ends, for h and, where there is one, for c."""
        shape = self.part.shape
        side = side_of(direction)
        step = self.part.length - 1 if direction == "forward" else 0
        edge = self.at.right if side == 1 else self.at.left
        tensors: list[tuple[Tensor, StateAddress]] = [
            ("hidden_state", StateAddress("hidden", 0, direction, step))
        ]
        if shape.has_cell_state:
            tensors.append(("cell_state", StateAddress("cell", 0, direction, step)))
        pieces = []
        for place, (tensor, lowest) in enumerate(tensors):
            rail = edge + side * (RAIL_GAP + place * RAILS_APART)
            heights = []
            for layer in range(shape.num_layers):
                address = StateAddress(lowest.kind, layer, direction, step)
                _, y, _, height = self.at.box(address)
                heights.append(y + height / 2)
                pieces.append(self.tick(tensor, edge, heights[-1], rail, heights[-1]))
            pieces.insert(0, self.rail(tensor, rail, min(heights), rail, max(heights)))
        middle = (self.at.top + self.at.bottom) / 2
        beside = edge + side * (RAIL_GAP + (len(tensors) - 1) * RAILS_APART + 9)
        anchor = "" if side == 1 else " end"
        y = middle - 8 * (len(tensors) - 1) + 2
        for tensor, _ in tensors:
            pieces.append(_words(beside, y, tensor, f"name-{tensor}{anchor}"))
            y += 16
        where = f"{direction}, step {step}" if shape.bidirectional else f"step {step}"
        pieces.append(_words(beside, y, where, f"muted small{anchor}"))
        return pieces

    def symbols(self) -> list[Markup]:
        """What was read, below; the number of the step; and what was predicted, above."""
        pieces = []
        y = self.at.bottom + 40
        for step in range(self.part.steps):
            middle = self.at.x(step) + NODE / 2
            real = step < self.part.length
            tone = "middle" if real else "middle muted"
            if self.part.symbols and real:
                pieces.append(self.symbol(middle, y, self.part.symbols[step], step))
                pieces.append(_words(middle, y + 20, f"step {step}", "muted small middle"))
            elif real:
                place: dict[str, Attribute] = {"x": middle, "y": y, "data-step": step}
                words = escaped(f"step {step}")
                pieces.append(element("text", place | {"class": "middle strong"}, words))
            else:
                pieces.append(_words(middle, y, "padding", f"{tone} small"))
                pieces.append(_words(middle, y + 20, f"step {step}", f"{tone} small"))
            if self.part.predicted and real:
                rail = self.at.output_rail
                pieces.append(_arrow(middle, rail - 5, middle, rail - 22))
                pieces.append(self.symbol(middle, rail - 28, self.part.predicted[step]))
        label = "reads" if self.part.symbols else "input"
        pieces.append(_words(0, y, label, "muted small"))
        if self.part.predicted:
            pieces.append(_words(0, self.at.output_rail - 28, "predicts", "muted small"))
        return pieces

    def symbol(self, x: float, y: float, symbol: str, read_at: int | None = None) -> Markup:
        whole = shown(symbol)
        return element(
            "text",
            {"x": x, "y": y, "class": "symbol middle", "data-symbol": symbol, "data-step": read_at},
            element("title", {}, escaped(isolated(whole))),
            escaped(shortened(whole, SYMBOL_LIMIT)),
        )

    def padding(self) -> list[Markup]:
        """Where the padded steps would stand: nothing is computed there."""
        pieces = []
        for layer in range(self.part.shape.num_layers):
            for direction in self.part.shape.directions:
                for step in range(self.part.length, self.part.steps):
                    x, y, width, _ = self.at.box(StateAddress("hidden", layer, direction, step))
                    title = describe_padding(self.part, layer, step)
                    box = element(
                        "rect",
                        {
                            "class": "frame",
                            "x": x,
                            "y": y,
                            "width": width,
                            "height": self.at.node_height,
                            "rx": 5,
                        },
                    )
                    pieces.append(
                        element(
                            "g",
                            {"class": "pad", "data-layer": str(layer), "data-step": str(step)},
                            element("title", {}, escaped(title)),
                            box,
                        )
                    )
        return pieces


def grid_drawing(part: GridPart) -> Drawing:
    """The picture of one grid. Each state carries its address and the tensors that hold it."""
    return _GridPicture(part).drawing()
