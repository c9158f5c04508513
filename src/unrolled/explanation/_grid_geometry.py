"""Where each thing of the grid picture stands, in pixels. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..grid import Direction, StateAddress
from ._grid_part import GridPart
from ._symbol import columns, shown

NODE = 46.0
HIDDEN = 27.0
CELL = 16.0
KINDS_GAP = 2.0
LANE_GAP = 9.0
SLOT_MARGIN = 7.0
LAYER_GAP = 28.0
RAIL_GAP = 24.0
RAILS_APART = 12.0
SYMBOL_WIDTH = 10.2
SYMBOL_LIMIT = 12


@dataclass(frozen=True)
class GridGeometry:
    """Layer 0 is at the bottom, step 0 at the left; of a layer's lanes, forward is the lower."""

    part: GridPart

    @cached_property
    def node_height(self) -> float:
        """Height of one h, with its c below it where there is one."""
        return HIDDEN + (KINDS_GAP + CELL if self.part.shape.has_cell_state else 0)

    @cached_property
    def slot_height(self) -> float:
        """Height of all directions of one layer at one step."""
        lanes = self.part.shape.num_directions
        return lanes * self.node_height + (lanes - 1) * LANE_GAP + 2 * SLOT_MARGIN

    @cached_property
    def pitch(self) -> float:
        """From one step to the next: wide enough for the arrows and for the longest symbol."""
        words = [*self.part.symbols, *self.part.predicted]
        longest = max((min(columns(shown(word)), SYMBOL_LIMIT) for word in words), default=0)
        return max(NODE + 30, longest * SYMBOL_WIDTH + 18)

    @cached_property
    def label_width(self) -> float:
        """Room for the names of layers and lanes, at the far left."""
        return 84.0 if self.part.shape.bidirectional else 74.0

    @cached_property
    def rail_width(self) -> float:
        """Room beside a side edge for its rails and their labels."""
        return RAIL_GAP + 134.0

    @cached_property
    def left(self) -> float:
        """Left edge of the nodes of step 0."""
        if self.part.shape.bidirectional:
            return self.label_width + self.rail_width
        return self.label_width + (74.0 if self.part.initial else SLOT_MARGIN)

    @cached_property
    def top(self) -> float:
        """Top of the last layer's slots."""
        return 30.0 + (44.0 if self.part.predicted else 0.0)

    @cached_property
    def bottom(self) -> float:
        """Bottom of layer 0's slots."""
        layers = self.part.shape.num_layers
        return self.top + layers * self.slot_height + (layers - 1) * LAYER_GAP

    @cached_property
    def output_rail(self) -> float:
        """Height of the line that is the top edge."""
        return self.top - 18.0

    @cached_property
    def right(self) -> float:
        """Right edge of the nodes of the last real step: where the right edge of the grid is."""
        return self.x(self.part.length - 1) + NODE

    @cached_property
    def width(self) -> float:
        """Of the whole picture."""
        padded = self.part.steps - self.part.length
        edge = self.right + self.rail_width
        return edge + (padded * self.pitch + SLOT_MARGIN if padded else 0)

    @cached_property
    def height(self) -> float:
        """Of the whole picture, symbols and step numbers included."""
        below = self.part.symbols or self.part.steps > self.part.length
        return self.bottom + (66.0 if below else 46.0)

    def x(self, step: int) -> float:
        """Left edge of the nodes of a step; padded steps stand beyond the grid's right edge."""
        beyond = self.rail_width - (self.pitch - NODE) + SLOT_MARGIN
        return self.left + step * self.pitch + (beyond if step >= self.part.length else 0)

    def slot_top(self, layer: int) -> float:
        """Top of a layer's slots."""
        above = self.part.shape.num_layers - 1 - layer
        return self.top + above * (self.slot_height + LAYER_GAP)

    def lane_top(self, layer: int, direction: Direction) -> float:
        """Top of the nodes of one direction of a layer."""
        below = self.part.shape.bidirectional and direction == "forward"
        return self.slot_top(layer) + SLOT_MARGIN + below * (self.node_height + LANE_GAP)

    def box(self, address: StateAddress) -> tuple[float, float, float, float]:
        """x, y, width and height of a state."""
        y = self.lane_top(address.layer, address.direction)
        if address.kind == "cell":
            return self.x(address.step), y + HIDDEN + KINDS_GAP, NODE, CELL
        return self.x(address.step), y, NODE, HIDDEN


def side_of(direction: Direction) -> int:
    """On which side a direction ends: 1 right, -1 left."""
    return 1 if direction == "forward" else -1
