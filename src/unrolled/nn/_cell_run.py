"""What the three cells share: their weights, one step on the engine in use, and their repr."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import _VF, Tensor, nn

from ..grid import Cell, StackShape
from ._checks import check_initial_state, check_input, check_weight_type
from ._engine import current_engine
from ._equations import CellState, cell_step
from ._weights import LayerWeights

_OPERATORS: dict[Cell, Callable[..., Tensor | tuple[Tensor, Tensor]]] = {
    "rnn_tanh": _VF.rnn_tanh_cell,
    "rnn_relu": _VF.rnn_relu_cell,
    "gru": _VF.gru_cell,
    "lstm": _VF.lstm_cell,
}


class _CellResult(NamedTuple):
    hidden: Tensor
    cell: Tensor | None


def register_cell_weights(
    module: nn.Module,
    shape: StackShape,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> None:
    """Give a module the parameters of one step, uninitialised, under PyTorch's names.

    Args:
        module: the cell.
        shape: its sizes.
        device: where the parameters are made.
        dtype: their type.

    Raises:
        ValueError: it is a type that has no gradients.
    """
    check_weight_type(dtype)
    gates = shape.num_gates * shape.hidden_size
    sizes: dict[str, tuple[int, ...]] = {
        "weight_ih": (gates, shape.input_size),
        "weight_hh": (gates, shape.hidden_size),
        "bias_ih": (gates,),
        "bias_hh": (gates,),
    }
    for name, size in sizes.items():
        if name.startswith("bias") and not shape.bias:
            module.register_parameter(name, None)
        else:
            empty = torch.empty(size, device=device, dtype=dtype)
            module.register_parameter(name, nn.Parameter(empty))


def _as_row(state: object) -> object:
    return state.unsqueeze(0) if isinstance(state, Tensor) else state


def run_cell(
    module: nn.Module,
    shape: StackShape,
    input: Tensor,
    hx: Tensor | tuple[Tensor, Tensor] | None,
) -> _CellResult:
    """One step on the engine in use.

    Args:
        module: the cell.
        shape: its sizes.
        input: (batch, input) or (input,).
        hx: the states of the step before, as the cell takes them; zeros when absent.

    Raises:
        TypeError: an argument is not a tensor, or not a pair of them.
        ValueError: a rank, size, type or device does not fit.
    """
    weights = LayerWeights(
        **{name: getattr(module, name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    check_input(input, size=shape.input_size, like=weights.weight_ih, ranks=(1, 2))
    batched = input.dim() == 2
    x = input if batched else input.unsqueeze(0)
    if hx is None:
        hidden = x.new_zeros(x.shape[0], shape.hidden_size)
        cell = x.new_zeros(x.shape[0], shape.hidden_size) if shape.has_cell_state else None
    else:
        rows = tuple(map(_as_row, hx)) if isinstance(hx, (tuple, list)) else _as_row(hx)
        batch = x.shape[0] if batched else None
        h0, c0 = check_initial_state(rows, shape=shape, batch=batch, like=weights.weight_ih)
        hidden = h0.squeeze(0) if batched else h0
        cell = None if c0 is None else c0.squeeze(0) if batched else c0
    if current_engine().engine.name == "torch":
        state = hidden if cell is None else (hidden, cell)
        found = _OPERATORS[shape.cell](x, state, *weights[:4])
        new = CellState(*found) if isinstance(found, tuple) else CellState(found)
    else:
        new = cell_step(shape.cell, x, CellState(hidden, cell), weights)
    if batched:
        return _CellResult(new.hidden, new.cell)
    return _CellResult(new.hidden.squeeze(0), None if new.cell is None else new.cell.squeeze(0))


def cell_repr(shape: StackShape) -> str:
    """Sizes, and the bias where there is none.

    Args:
        shape: sizes of the cell.
    """
    return f"{shape.input_size}, {shape.hidden_size}" + ("" if shape.bias else ", bias=False")
