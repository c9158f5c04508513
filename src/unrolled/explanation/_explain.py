"""Which states a tensor holds, or what a function makes of a layer's states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..grid import StackShape, StateAddress, StateGrid, check_lengths
from ._receptive_field import chosen_state
from ._report import Report
from ._selection_fault import SelectionFault
from ._selection_grids import selection_grids
from ._selection_part import SelectionPart
from ._selection_pieces import pieces_of
from ._state_codes import StateCodes
from ._value_kinds import GATES, NORM, check_values

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.nn.utils.rnn import PackedSequence

    from ._shown_states import ShownStates

MOST_VALUES = 2_000_000


def explain(
    what: Any | Callable[..., Any],
    of: StateGrid | nn.Module,
    x: Tensor | PackedSequence | None = None,
    lengths: Tensor | Sequence[int] | None = None,
    *,
    values: str | None = None,
    field: StateAddress | str | None = None,
) -> Report:
    """Which states a tensor holds, or which states a function of your own takes.

    - `explain(tensor, states)` compares the values of a tensor with a recorded run, and
      `explain(tensor, layer, x)` with the run of a layer on x. Any layout and any part will do.
    - `explain(function, layer, x)` calls the function on x, a few times, with other values in place
      of what the layer computes, and follows them into the tensor that the function returns. The
      function may be a whole model that the layer is a part of. It must call the layer once.

    Args:
        what: a tensor, or a function or model; a function is called as `what(x)`, and as
            `what(x, lengths)` where lengths are given and it takes two arguments.
        of: the `StateGrid` of a run, or the RNN, GRU or LSTM, of `torch.nn` or `unrolled.nn`.
        x: the layer's input; for a function, what it is called with.
        lengths: real steps of each sample.
        values: what is told in numbers of each state of the run, and shades it: `"norm"`, or a gate
            of the cell, such as `"forget_gate"` or `"update_gate"`, as the mean over its units. A
            gate needs the layer, whose weights make it.
        field: a state, such as `"h[layer=1, reverse, step=4]"`, whose receptive field the grids
            mark: the states and the steps of the input that it was computed from.

    Returns:
        A report whose `selection` tells the addresses of each element. It prints itself, and
        draws itself in a notebook.

    Raises:
        TypeError: neither a tensor nor a function, or not of a run or a layer.
        UsageError: what is given does not fit; the message says what to give.

    >>> import torch
    >>> layer = torch.nn.GRU(3, 4, bidirectional=True)
    >>> report = explain(lambda x: layer(x)[0][-1], layer, torch.zeros(5, 2, 3))
    >>> str(report.selection.at(0, 7)[0].address)
    'h[layer=0, reverse, step=4]'
    """
    if _is_array(what):
        return _of_tensor(what, of, x, lengths, values, field)
    if not callable(what):
        unpacked = hasattr(what, "batch_sizes")
        way = "unpack it with pad_packed_sequence" if unpacked else "give a tensor"
        raise TypeError(
            f"what to explain is of type {type(what).__name__}; {way}, or give a function that "
            "returns a tensor."
        )
    if isinstance(of, StateGrid):
        raise UsageError(
            "a function is explained of a layer, not of a run; give explain(function, layer, x)"
        )
    if x is None:
        raise UsageError("x is missing: give what the function is called with")
    return _of_function(what, of, x, lengths, values, field)


def _is_array(what: Any) -> bool:
    return hasattr(what, "shape") and hasattr(what, "dtype") and hasattr(what, "ndim")


def _of_tensor(tensor: Any, of: Any, x: Any, lengths: Any, values: Any, field: Any) -> Report:
    from ._state_match import grid_shape

    if isinstance(of, StateGrid):
        shape = grid_shape(of)
        shown = _shown(values, shape, None, of, None)
        return _of_values(tensor, of, shape, shown, field)
    if x is None:
        raise UsageError(
            "x is missing: to find the values of a tensor in a layer's run give its input, "
            "explain(tensor, layer, x), or a recorded run, explain(tensor, states)"
        )
    from ._recurrent_layer import run_of_layer, stack_shape

    grid, shape = run_of_layer(of, x, lengths), stack_shape(of)
    return _of_values(tensor, grid, shape, _shown(values, shape, of, grid, x), field)


def _shown(
    values: str | None, shape: StackShape, layer: Any, grid: StateGrid, x: Any, hx: Any = None
) -> ShownStates | None:
    """The numbers that are asked for, of a run of a layer or of a recorded one."""
    if values is None:
        return None
    from ._gate_values import gate_values
    from ._shown_states import ShownStates

    if layer is None and values in GATES:
        raise UsageError(
            f"values is {values!r}, and a recorded run does not tell the weights that make a gate; "
            "give the layer and its input in place of the run"
        )
    check_values(values, [shape])
    if values == NORM:
        return ShownStates(values, grid)
    from ._recurrent_layer import time_first

    hidden = hx[0] if isinstance(hx, tuple) else hx
    if hidden is not None and not grid.batched:
        hidden = hidden.unsqueeze(1)
    gates = gate_values(values, layer, shape, time_first(layer, x), grid, hidden)
    return ShownStates(values, grid, gates)


def _of_values(
    tensor: Any, grid: StateGrid, shape: StackShape, shown: ShownStates | None, field: Any
) -> Report:
    from ._state_match import StateMatch, state_values

    codes = StateCodes(shape, grid.steps, grid.batch)
    size = 1
    for axis in tensor.shape:
        size *= int(axis)
    if max(size, codes.padding) > MOST_VALUES:
        raise UsageError(
            f"the tensor has {size:,} elements and the run {codes.padding:,}; at most "
            f"{MOST_VALUES:,} are compared. Give a run of fewer samples or steps"
        )
    match = StateMatch(tensor, state_values(grid, codes), codes, grid.lengths)
    lengths = [int(length) for length in grid.lengths]
    notes = []
    if match.shared:
        named = [codes.named(code) for code in match.rivals]
        rivals = " and in ".join(
            f"{address}, unit {unit} of sample {sample}" for sample, address, unit in named
        )
        notes.append(
            f"{match.shared} of {size} values stand in several states, the first of them in "
            f"{rivals}; the one that continues its neighbours is named."
        )
    if match.near:
        notes.append(f"{match.near} of {size} values equal a state's up to rounding only.")
    part = _part("the tensor", "the run", codes, match, lengths, grid.batch_first, notes)
    return _report(part, shape, shown, field)


def _of_function(
    function: Callable[..., Any], layer: Any, x: Any, lengths: Any, values: Any, field: Any
) -> Report:
    from ._recurrent_layer import run_of_layer, stack_shape
    from ._traced_function import TracedFunction

    if values is not None:
        check_values(values, [stack_shape(layer)])
    traced = TracedFunction(function, layer, x, lengths)
    codes = traced.codes
    if codes is None:
        raise UsageError("the function did not call the layer")
    name = getattr(function, "__name__", type(function).__name__)
    name = "the result" if name == "<lambda>" else f"{name}(x)"
    notes = []
    if lengths is not None:
        real = check_lengths(lengths, batch=codes.batch, steps=codes.steps).tolist()
        longer = [n for n, length in enumerate(traced.lengths) if length > real[n]]
        if longer:
            sample = longer[0]
            notes.append(
                f"The layer was not told the lengths: of sample {sample} it read on to step "
                f"{traced.lengths[sample] - 1}, through padding, though its last symbol is at step "
                f"{real[sample] - 1}. Pack the input, or give lengths= to a layer of unrolled.nn."
            )
    if traced.unseen:
        notes.append(
            f"{traced.unseen} elements more were computed and not followed; give a smaller x."
        )
    kind = f"{type(layer).__module__.removesuffix('.modules.rnn')}.{type(layer).__name__}"
    kind = f"unrolled.nn.{type(layer).__name__}" if kind.startswith("unrolled") else kind
    part = _part(name, kind, codes, traced, traced.lengths, layer.batch_first, notes)
    if values is None:
        return _report(part, codes.shape, None, field)
    read, hx, told = traced.called
    grid = run_of_layer(layer, read, told, hx, at_rest=True)
    return _report(part, codes.shape, _shown(values, codes.shape, layer, grid, read, hx), field)


def _part(
    name: str,
    origin: str,
    codes: StateCodes,
    found: Any,
    lengths: Sequence[int],
    batch_first: bool,
    notes: list[str],
) -> SelectionPart:
    try:
        pieces = pieces_of(found.sources, found.by, codes)
    except SelectionFault as fault:
        raise UsageError(f"{name}: {fault}.") from None
    return SelectionPart(
        expression=name,
        origin=origin,
        framework="torch",
        shape=codes.shape,
        steps=codes.steps,
        lengths=tuple(int(length) for length in lengths),
        sizes=tuple(int(size) for size in found.by.shape),
        pieces=pieces,
        batch_first=batch_first,
        notes=tuple(notes),
    )


def _report(
    part: SelectionPart, shape: StackShape, shown: ShownStates | None, field: Any
) -> Report:
    try:
        chosen = None if field is None else chosen_state(shape, part.steps, part.lengths, field)
    except ValueError as fault:
        raise UsageError(str(fault)) from None
    taken = [part.addresses(sample) for sample in range(len(part.lengths))]
    grids = selection_grids(shape, part.steps, part.lengths, taken, chosen, shown)
    return Report(f"What {part.expression} holds", (*grids, part))
