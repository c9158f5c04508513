"""The shape of a recurrent stack: what every layout, bridge and engine needs to know of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from ._address import DIRECTIONS, Direction, check_direction
from ._integer import check_integer

Cell = Literal["rnn_tanh", "rnn_relu", "gru", "lstm"]

CELLS: tuple[Cell, ...] = get_args(Cell)
_NUM_GATES: dict[Cell, int] = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True, slots=True)
class StackShape:
    """Cell, sizes, layers and directions of a recurrent stack.

    Attributes:
        cell: `"rnn_tanh"`, `"rnn_relu"`, `"gru"` or `"lstm"`.
        input_size: features of one step of the input.
        hidden_size: units of one layer and direction.
        num_layers: rows of the grid.
        bidirectional: whether each layer also runs from the last step to the first.
        bias: whether the products carry biases.
        proj_size: size an LSTM's hidden state is projected to; 0 for none.

    Raises:
        TypeError: a size is not an integer.
        ValueError: a size or a combination that no recurrent stack has.

    >>> shape = StackShape("lstm", input_size=8, hidden_size=16, num_layers=2, bidirectional=True)
    >>> shape.row(-1, "reverse")  # where h[layer=1, reverse, step=0] stands in `hidden_state`
    3
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    proj_size: int = 0

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell is {self.cell!r}; it must be one of {', '.join(CELLS)}.")
        for name in ("input_size", "hidden_size", "num_layers", "proj_size"):
            object.__setattr__(self, name, check_integer(getattr(self, name), name))
        for name in ("hidden_size", "num_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        for name in ("input_size", "proj_size"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more.")
        if self.proj_size and self.cell != "lstm":
            raise ValueError(
                f"proj_size is {self.proj_size}, but only an LSTM projects its hidden state and "
                f"this is {self.cell!r}; leave proj_size at 0."
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"proj_size is {self.proj_size}; it must be smaller than "
                f"hidden_size={self.hidden_size}."
            )

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that run, forward first."""
        return DIRECTIONS if self.bidirectional else DIRECTIONS[:1]

    @property
    def num_directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def num_rows(self) -> int:
        """Rows of `hidden_state`: layers times directions."""
        return self.num_layers * self.num_directions

    @property
    def num_gates(self) -> int:
        """Blocks of `hidden_size` rows in each weight: 1 for RNN, 3 for GRU, 4 for LSTM."""
        return _NUM_GATES[self.cell]

    @property
    def has_cell_state(self) -> bool:
        """Whether a cell state stands beside each hidden state."""
        return self.cell == "lstm"

    @property
    def state_size(self) -> int:
        """Features of one hidden state."""
        return self.proj_size or self.hidden_size

    @property
    def cell_size(self) -> int:
        """Features of one cell state; 0 without one."""
        return self.hidden_size if self.has_cell_state else 0

    @property
    def output_size(self) -> int:
        """Features of one step of `output`: both directions side by side."""
        return self.state_size * self.num_directions

    def layer_input_size(self, layer: int) -> int:
        """Features that a layer reads at one step.

        Args:
            layer: 0 is next to the input; negative counts from the top.

        Raises:
            IndexError: there is no such layer.
        """
        return self.input_size if self.resolve_layer(layer) == 0 else self.output_size

    def resolve_layer(self, layer: int) -> int:
        """Turn a layer that may count from the top into one that counts from the input.

        Raises:
            IndexError: there is no such layer.
            TypeError: the layer is not an integer.
        """
        return resolve_layer(layer, self.num_layers)

    def row(self, layer: int, direction: Direction = "forward") -> int:
        """The row of `hidden_state` that holds a layer and direction.

        Args:
            layer: 0 is next to the input; negative counts from the top.
            direction: `"forward"` or `"reverse"`.

        Raises:
            IndexError: there is no such layer.
            ValueError: the stack does not run in that direction.
        """
        check_direction(direction)
        if direction not in self.directions:
            raise ValueError(
                "direction is 'reverse', but this stack runs forward only; "
                "make it bidirectional or ask for 'forward'."
            )
        return self.resolve_layer(layer) * self.num_directions + self.directions.index(direction)

    def rows(self) -> Iterator[tuple[int, Direction]]:
        """The layer and direction of each row of `hidden_state`, in order."""
        for layer in range(self.num_layers):
            for direction in self.directions:
                yield layer, direction


def resolve_layer(layer: int, num_layers: int) -> int:
    """Turn a layer that may count from the top into one that counts from the input.

    Args:
        layer: 0 is next to the input; negative counts from the top.
        num_layers: how many layers there are.

    Raises:
        IndexError: there is no such layer.
        TypeError: the layer is not an integer.
    """
    layer = check_integer(layer, "layer")
    if not -num_layers <= layer < num_layers:
        there_are = "there is 1 layer" if num_layers == 1 else f"there are {num_layers} layers"
        raise IndexError(
            f"layer is {layer}, but {there_are}: "
            f"use 0 to {num_layers - 1} from the input, or -1 to {-num_layers} from the top."
        )
    return layer % num_layers
