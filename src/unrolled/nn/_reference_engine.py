"""The reference engine: plain loops over named cells, slow, the definition of correct."""

import torch
from torch import Tensor
from torch.nn.functional import dropout

from ..grid import StateGrid
from ._equations import CellState, cell_step
from ._stack_call import StackCall, StackStates, TopStates


def unroll(call: StackCall) -> StackStates:
    """Every state of a run, state by state.

    A padded step leaves the state as it was. So the forward direction ends with the state of a
    sample's own last step, and the reverse direction, which meets the padding first, starts each
    sample at its own last step with the initial state.

    Args:
        call: the run.
    """
    shape, steps = call.shape, call.x.shape[0]
    real = call.real_steps()
    layer_input = call.x if real is None else call.x.where(real[..., None], 0)
    hidden_rows: list[list[Tensor]] = []
    cell_rows: list[list[Tensor]] = []
    for layer in range(shape.num_layers):
        for direction in shape.directions:
            row = shape.row(layer, direction)
            state = CellState(call.h0[row], None if call.c0 is None else call.c0[row])
            found: dict[int, CellState] = {}
            for step in range(steps) if direction == "forward" else reversed(range(steps)):
                new = cell_step(shape.cell, layer_input[step], state, call.weights[row])
                state = new if real is None else _keep_padded(real[step], new, state)
                found[step] = state
            hidden_rows.append([found[step].hidden for step in range(steps)])
            cells = [found[step].cell for step in range(steps)]
            cell_rows.append([cell for cell in cells if cell is not None])
        layer_input = torch.cat(
            [torch.stack(row) for row in hidden_rows[-shape.num_directions :]], dim=-1
        )
        if real is not None:
            layer_input = layer_input.where(real[..., None], 0)
        if call.dropout and call.training and layer < shape.num_layers - 1:
            layer_input = dropout(layer_input, call.dropout, training=True)
    return StackStates(
        call.grid_of(hidden_rows), call.grid_of(cell_rows) if shape.has_cell_state else None
    )


def run(call: StackCall) -> TopStates:
    """`output` and the final states of a run, read off the grid of all its states.

    Args:
        call: the run.
    """
    states = unroll(call)
    grid = _grid(states, call.lengths)
    return TopStates(grid.output, *finals(states, call.lengths))


def finals(states: StackStates, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """`hidden_state` and `cell_state`, read off the grid of all states.

    Args:
        states: of a run.
        lengths: real steps of each sample.
    """
    grid = _grid(states, lengths)
    return grid.hidden_state, None if states.cell is None else grid.cell_state


def _grid(states: StackStates, lengths: Tensor | None) -> StateGrid:
    return StateGrid(states.hidden, states.cell, None if lengths is None else lengths.cpu().numpy())


def _keep_padded(real: Tensor, new: CellState, old: CellState) -> CellState:
    hidden = torch.where(real[:, None], new.hidden, old.hidden)
    if new.cell is None or old.cell is None:
        return CellState(hidden)
    return CellState(hidden, torch.where(real[:, None], new.cell, old.cell))
