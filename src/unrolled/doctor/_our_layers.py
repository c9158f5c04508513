"""How layers and cells of `unrolled.nn` are watched: by what goes in and what comes out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import nn as ours
from ..grid import StateGrid
from ._layer_run import LayerRun
from ._run_ledger import RunLedger

OUR_STACKS = (ours.RNN, ours.GRU, ours.LSTM)
OUR_CELLS = (ours.RNNCell, ours.GRUCell, ours.LSTMCell)
_NAMES = {
    ours.RNN: "rnn",
    ours.GRU: "gru",
    ours.LSTM: "lstm",
    ours.RNNCell: "rnn",
    ours.GRUCell: "gru",
    ours.LSTMCell: "lstm",
}


def watched_grid(
    ledger: RunLedger,
    name: str,
    module: Any,
    input: Tensor,
    hx: Any,
    lengths: Any,
    states: StateGrid,
) -> StateGrid:
    """A grid whose states are leaves: of the last layer as output, of the others as h_n.

    Args:
        ledger: where the run is written down.
        name: of the layer in the model.
        module: the layer.
        input: what it was given, not packed.
        hx: its initial state, if one was given.
        lengths: real steps of each sample, if they were given.
        states: what it gave.
    """
    hidden: Any = states.hidden
    layers, ways, steps, batch, size = hidden.shape
    output = ledger.cut(hidden[-1].permute(1, 2, 0, 3).reshape(steps, batch, ways * size))
    last = torch.as_tensor(states.lengths) - 1
    h_n = ledger.cut(_ends(hidden, last))
    top = ledger.given(output).reshape(steps, batch, ways, size).permute(2, 0, 1, 3)
    below = (hidden.detach() if ledger.cutting else hidden)[:-1]
    joined = torch.cat([_with_ends(below, last, ledger.given(h_n)), top[None]])
    cell: Any = states.cell
    c_n = None
    if cell is not None:
        c_n = ledger.cut(_ends(cell, last))
        cells = cell.detach() if ledger.cutting else cell
        cell = _with_ends(cells, last, ledger.given(c_n))
    batched = input.dim() == 3
    h_0, c_0 = torch.zeros_like(h_n), None if c_n is None else torch.zeros_like(c_n)
    if hx is not None:
        h_0, c_0 = hx if c_n is not None else (hx, None)
        if not batched:
            h_0, c_0 = h_0.unsqueeze(1), None if c_0 is None else c_0.unsqueeze(1)
    seen = input.unsqueeze(1) if not batched else input
    ledger.runs.append(
        LayerRun(
            len(ledger.runs),
            name,
            _NAMES.get(type(module), "rnn"),
            False,
            layers,
            ways,
            True,
            None,
            seen.transpose(0, 1) if batched and module.batch_first else seen,
            h_0,
            c_0,
            output,
            h_n,
            c_n,
            _counts(lengths),
        )
    )
    return StateGrid(
        joined,
        cell,
        states.lengths if lengths is not None else None,
        batch_first=states.batch_first,
        batched=states.batched,
    )


def watched_result(
    ledger: RunLedger, place: str, module: Any, args: Any, kwargs: Any, result: Any
) -> Any:
    """What a layer or cell of `unrolled.nn` gave, its operators its own affair.

    Args:
        ledger: where the run is written down.
        place: of the layer in the model.
        module: the layer.
        args: it was called with.
        kwargs: and by keyword.
        result: what it gave.
    """
    cell = _NAMES.get(type(module), "rnn")
    names = ("input", "hx", "lengths")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    given_input, state = given["input"], given.get("hx")
    if isinstance(module, OUR_CELLS):
        return _watched_cell(ledger, place, cell, given_input, state, result)
    output, final = result
    packed = output if isinstance(output, PackedSequence) else None
    sizes = packed.batch_sizes if packed is not None else None
    batched = packed is not None or given_input.dim() == 3

    def ordered(tensor: Any) -> Any:
        """A state as the run holds it: with a batch, and in the order of a pack."""
        if tensor is None or (batched and (packed is None or packed.sorted_indices is None)):
            return tensor
        return tensor.index_select(1, packed.sorted_indices) if packed else tensor.unsqueeze(1)

    def returned(tensor: Any) -> Any:
        given = ledger.given(tensor)
        if packed is not None and packed.unsorted_indices is not None:
            return given.index_select(1, packed.unsorted_indices)
        return given if batched else given.squeeze(1)

    h_n, c_n = final if cell == "lstm" else (final, None)
    h_n, c_n = ledger.cut(ordered(h_n)), ledger.cut(ordered(c_n))
    h_0, c_0 = torch.zeros_like(h_n), None if c_n is None else torch.zeros_like(c_n)
    if state is not None:
        h_0, c_0 = (ordered(s) for s in (state if cell == "lstm" else (state, None)))
    data = packed.data if packed is not None else output
    data = ledger.cut(data if batched else data.unsqueeze(1))
    entered = given_input.data if packed is not None else given_input
    ledger.runs.append(
        LayerRun(
            len(ledger.runs),
            place,
            cell,
            False,
            module.num_layers,
            2 if module.bidirectional else 1,
            packed is not None or not module.batch_first or not batched,
            sizes,
            entered if batched else entered.unsqueeze(1),
            h_0,
            c_0,
            data,
            h_n,
            c_n,
            _counts(given.get("lengths")),
        )
    )
    given_out = ledger.given(data)
    if packed is not None:
        output = PackedSequence(given_out, sizes, packed.sorted_indices, packed.unsorted_indices)
    else:
        output = given_out if batched else given_out.squeeze(1)
    return output, ((returned(h_n), returned(c_n)) if cell == "lstm" else returned(h_n))


def _watched_cell(
    ledger: RunLedger, place: str, cell: str, input: Any, state: Any, result: Any
) -> Any:
    if cell != "lstm":
        h_n = ledger.cut(result)
        h_0 = torch.zeros_like(h_n) if state is None else state
        ledger.add_cell(place, cell, input, h_0, None, h_n, None)
        return ledger.given(h_n)
    h_n, c_n = (ledger.cut(tensor) for tensor in result)
    h_0, c_0 = (torch.zeros_like(h_n), torch.zeros_like(c_n)) if state is None else state
    ledger.add_cell(place, cell, input, h_0, c_0, h_n, c_n)
    return ledger.given(h_n), ledger.given(c_n)


def _ends(grid: Tensor, last: Tensor) -> Tensor:
    """The states of (layer, direction, step, sample) at the last step that each direction took."""
    lanes = torch.arange(grid.shape[3])
    ends = [grid[:, way, at, lanes] for way, at in _last_steps(grid, last)]
    return torch.stack(ends, 1).flatten(0, 1)


def _with_ends(grid: Tensor, last: Tensor, ends: Tensor) -> Tensor:
    """The same states with others in the place of `_ends`; of `ends` the first rows."""
    changed, lanes = grid.clone(), torch.arange(grid.shape[3])
    of_layers = ends.reshape(-1, grid.shape[1], *ends.shape[1:])[: len(grid)]
    for way, at in _last_steps(grid, last):
        changed[:, way, at, lanes] = of_layers[:, way]
    return changed


def _last_steps(grid: Tensor, last: Tensor) -> list[tuple[int, Tensor]]:
    return list(enumerate((last, torch.zeros_like(last))))[: grid.shape[1]]


def _counts(lengths: Any) -> tuple[int, ...] | None:
    """Lengths as plain numbers."""
    if lengths is None:
        return None
    return tuple(int(length) for length in torch.as_tensor(lengths).tolist())
