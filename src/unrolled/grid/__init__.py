"""Names for the states of a recurrent network, and where each stands in a tensor. NumPy only."""

from ._address import DIRECTIONS as DIRECTIONS
from ._address import KINDS as KINDS
from ._address import Direction as Direction
from ._address import Kind as Kind
from ._address import StateAddress as StateAddress
from ._grid import StateGrid as StateGrid
from ._layout import Layout as Layout
from ._layout import Slots as Slots
from ._lengths import check_lengths as check_lengths
from ._shape import CELLS as CELLS
from ._shape import Cell as Cell
from ._shape import StackShape as StackShape
from ._text import picture_lines as picture_lines
