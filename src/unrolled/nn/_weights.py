"""The weights of a recurrent stack: PyTorch's names, layouts, order and initialisation."""

import functools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..grid import Direction, StackShape
from ._checks import check_weight_type


class LayerWeights(NamedTuple):
    """Weights of one layer and direction.

    `gates` is num_gates * hidden_size; the rows of a weight run in PyTorch's gate order
    (LSTM i, f, g, o; GRU r, z, n).
    """

    weight_ih: Float[Tensor, "gates input"]
    weight_hh: Float[Tensor, "gates hidden"]
    bias_ih: Float[Tensor, "gates"] | None = None
    bias_hh: Float[Tensor, "gates"] | None = None
    weight_hr: Float[Tensor, "proj cell"] | None = None

    def present(self) -> list[Tensor]:
        """The weights there are, in PyTorch's order."""
        return [weight for weight in self if weight is not None]


def weight_names(shape: StackShape, layer: int, direction: Direction) -> list[str]:
    """Parameter names of one layer and direction, in PyTorch's order.

    Args:
        shape: the stack.
        layer: 0 is next to the input.
        direction: `"forward"` or `"reverse"`.
    """
    suffix = _suffix(layer, direction)
    kinds = ["weight_ih", "weight_hh"]
    if shape.bias:
        kinds += ["bias_ih", "bias_hh"]
    if shape.proj_size:
        kinds += ["weight_hr"]
    return [kind + suffix for kind in kinds]


def register_weights(
    module: nn.Module,
    shape: StackShape,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> None:
    """Give a module the parameters of a stack, uninitialised, under PyTorch's names.

    Args:
        module: the layer.
        shape: the stack.
        device: where the parameters are made.
        dtype: their type.

    Raises:
        ValueError: it is a type that has no gradients.
    """
    check_weight_type(dtype)
    gates = shape.num_gates * shape.hidden_size
    for layer, direction in shape.rows():
        sizes: dict[str, tuple[int, ...]] = {
            "weight_ih": (gates, shape.layer_input_size(layer)),
            "weight_hh": (gates, shape.state_size),
            "bias_ih": (gates,),
            "bias_hh": (gates,),
            "weight_hr": (shape.proj_size, shape.hidden_size),
        }
        for name in weight_names(shape, layer, direction):
            size = sizes[name.split("_l", 1)[0]]
            parameter = nn.Parameter(torch.empty(size, device=device, dtype=dtype))
            module.register_parameter(name, parameter)


def initialise_weights(module: nn.Module, hidden_size: int) -> None:
    """Draw every parameter from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)), as PyTorch does.

    Args:
        module: the layer or cell.
        hidden_size: its units.
    """
    bound = 1.0 / math.sqrt(hidden_size)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def stack_weights(module: nn.Module, shape: StackShape) -> list[LayerWeights]:
    """The weights of a layer as they are now, a `LayerWeights` per row of `hidden_state`.

    Attributes are read by name, so parametrized weights and functional calls are honoured.

    Args:
        module: the layer.
        shape: its stack.
    """
    has_bias, is_projected = shape.bias, shape.proj_size > 0
    rows = []
    for layer, direction in shape.rows():
        end = _suffix(layer, direction)
        rows.append(
            LayerWeights(
                _weight(module, "weight_ih" + end),
                _weight(module, "weight_hh" + end),
                _weight(module, "bias_ih" + end) if has_bias else None,
                _weight(module, "bias_hh" + end) if has_bias else None,
                _weight(module, "weight_hr" + end) if is_projected else None,
            )
        )
    return rows


def parameters_of(module: nn.Module, shape: StackShape) -> list[Tensor] | None:
    """What `flat` gives of the weights, in less time; `None` if one of them is another attribute.

    Args:
        module: the layer.
        shape: its stack.
    """
    names, known = _all_names(shape), module._parameters
    found: list[Tensor] = [one for name in names if (one := known.get(name)) is not None]
    return found if len(found) == len(names) else None


@functools.lru_cache(maxsize=1024)
def _all_names(shape: StackShape) -> tuple[str, ...]:
    return tuple(name for row in shape.rows() for name in weight_names(shape, *row))


def _weight(module: nn.Module, name: str) -> Tensor:
    # What is no parameter is an attribute; asking for the attribute first takes ten times as long.
    found: Tensor | None = module._parameters.get(name)
    return getattr(module, name) if found is None else found


def flat(weights: list[LayerWeights]) -> list[Tensor]:
    """The weights of all rows, one after the other.

    Args:
        weights: one `LayerWeights` per row of `hidden_state`.
    """
    return [weight for row in weights for weight in row if weight is not None]


def _suffix(layer: int, direction: Direction) -> str:
    return f"_l{layer}_reverse" if direction == "reverse" else f"_l{layer}"
