"""The equations of one step of each cell, plainly: the definition of correct.

Sources: Elman (1990), "Finding structure in time"; Hochreiter and Schmidhuber (1997) with the
forget gate of Gers et al. (2000) for the LSTM; Sak et al. (2014), section 2, for its projection;
Cho et al. (2014), equations 5 to 8, for the GRU, in the variant whose reset gate is applied after
the product (as cuDNN and PyTorch compute it).
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import linear

from ..grid import Cell
from ._weights import LayerWeights


class CellState(NamedTuple):
    """The states of one layer and direction at one step; `cell` is `None` but for an LSTM."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch cell"] | None = None


def cell_step(
    cell: Cell, x: Float[Tensor, "batch input"], state: CellState, weights: LayerWeights
) -> CellState:
    """One step of a cell.

    Args:
        cell: which equations.
        x: the input of this step.
        state: the states of the step before.
        weights: those of this layer and direction.
    """
    if cell == "lstm":
        return _lstm(x, state, weights)
    if cell == "gru":
        return _gru(x, state, weights)
    return _rnn(x, state, weights, relu=cell == "rnn_relu")


def _rnn(x: Tensor, state: CellState, weights: LayerWeights, *, relu: bool) -> CellState:
    """H' = tanh(W_ih x + b_ih + W_hh h + b_hh), or max(0, .) of the same."""
    sum_ = linear(x, weights.weight_ih, weights.bias_ih) + linear(
        state.hidden, weights.weight_hh, weights.bias_hh
    )
    return CellState(torch.relu(sum_) if relu else torch.tanh(sum_))


def _gru(x: Tensor, state: CellState, weights: LayerWeights) -> CellState:
    """H' = (1 - z) n + z h.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z likewise,
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)).
    """
    from_input = linear(x, weights.weight_ih, weights.bias_ih)
    from_hidden = linear(state.hidden, weights.weight_hh, weights.bias_hh)
    input_r, input_z, input_n = from_input.chunk(3, dim=-1)
    hidden_r, hidden_z, hidden_n = from_hidden.chunk(3, dim=-1)
    reset = torch.sigmoid(input_r + hidden_r)
    update = torch.sigmoid(input_z + hidden_z)
    new = torch.tanh(input_n + reset * hidden_n)
    return CellState((1 - update) * new + update * state.hidden)


def _lstm(x: Tensor, state: CellState, weights: LayerWeights) -> CellState:
    """C' = f c + i g; h' = o tanh(c'), multiplied by W_hr when projected.

    i, f, o = sigmoid(W_i. x + b_i. + W_h. h + b_h.), g = tanh of the like.
    """
    if state.cell is None:
        raise ValueError("an LSTM step needs a cell state beside the hidden state.")
    gates = linear(x, weights.weight_ih, weights.bias_ih) + linear(
        state.hidden, weights.weight_hh, weights.bias_hh
    )
    hidden, cell = lstm_gates(gates, state.cell)
    if weights.weight_hr is not None:
        hidden = linear(hidden, weights.weight_hr)
    return CellState(hidden, cell)


def lstm_gates(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """H' before projection and c' of an LSTM from its gate pre-activations.

    Args:
        gates: i, f, g, o side by side, (batch, 4 * cell).
        cell: c of the step before, (batch, cell).
    """
    i, f, g, o = gates.chunk(4, dim=-1)
    new_cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(new_cell), new_cell
