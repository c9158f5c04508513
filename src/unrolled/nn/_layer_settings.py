"""What layers and cells check and say about their arguments."""

import warnings
from numbers import Real

from torch import nn

from ..grid import Cell, StackShape
from ._weights import weight_names


def check_settings(dropout: float, num_layers: int) -> float:
    """The dropout probability, once it is one.

    Args:
        dropout: what came.
        num_layers: layers of the stack.

    Raises:
        ValueError: it is not a number from 0 to 1.
    """
    is_number = isinstance(dropout, Real) and not isinstance(dropout, bool)
    if not is_number or not 0 <= dropout <= 1:
        raise ValueError(
            f"dropout is {dropout!r}; it must be a number from 0 to 1, "
            "the probability of an element being zeroed."
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} does nothing with num_layers=1: it acts between layers. "
            "Add a layer, or an nn.Dropout on the input or the output.",
            UserWarning,
            stacklevel=3,
        )
    return float(dropout)


def cell_of(nonlinearity: str) -> Cell:
    """The cell of an `RNN` or `RNNCell`.

    Args:
        nonlinearity: what came.

    Raises:
        ValueError: there is no such cell.
    """
    if nonlinearity == "tanh":
        return "rnn_tanh"
    if nonlinearity == "relu":
        return "rnn_relu"
    raise ValueError(f"nonlinearity is {nonlinearity!r}; it must be 'tanh' or 'relu'.")


def all_weights(module: nn.Module, shape: StackShape) -> list[list[nn.Parameter]]:
    """The parameters of a layer, a list per layer and direction.

    Args:
        module: the layer.
        shape: its stack.
    """
    return [
        [getattr(module, name) for name in weight_names(shape, layer, direction)]
        for layer, direction in shape.rows()
    ]


def layer_repr(
    shape: StackShape, batch_first: bool, dropout: float, nonlinearity: str = "tanh"
) -> str:
    """Sizes, then the arguments that differ from their defaults.

    Args:
        shape: the stack.
        batch_first: as given to the layer.
        dropout: as given to the layer.
        nonlinearity: as given to an `RNN`.
    """
    differing = {
        "proj_size": (shape.proj_size, 0),
        "num_layers": (shape.num_layers, 1),
        "nonlinearity": (nonlinearity, "tanh"),
        "bias": (shape.bias, True),
        "batch_first": (batch_first, False),
        "dropout": (dropout, 0.0),
        "bidirectional": (shape.bidirectional, False),
    }
    words = [str(shape.input_size), str(shape.hidden_size)]
    words += [f"{name}={value!r}" for name, (value, usual) in differing.items() if value != usual]
    return ", ".join(words)
