"""What an expression such as `output[:, -1]` selects, for a stack that has not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import UsageError
from ..grid import StackShape, StateAddress, check_lengths
from ._address_tensor import check_size
from ._framework_tensors import FRAMEWORKS, Framework, FrameworkTensors, framework_tensors
from ._receptive_field import chosen_state
from ._report import Report
from ._select_expression import read_selection
from ._selection_fault import SelectionFault
from ._selection_grids import selection_grids
from ._selection_part import SelectionPart
from ._selection_pieces import pieces_of
from ._selection_traps import takes_samples_alike
from ._state_codes import StateCodes
from ._table_part import TablePart
from ._tensor_table import tensor_table


def explain_selection(
    shape: StackShape,
    steps: int,
    select: str | None = None,
    *,
    lengths: Sequence[int] | None = None,
    batch: int | None = None,
    framework: Framework = "torch",
    batch_first: bool | None = None,
    field: StateAddress | str | None = None,
) -> Report:
    """Which states an expression takes from the tensors of a stack, and which traps it falls into.

    Nothing runs: the expression is applied to the addresses of the states. It may hold indexing,
    `view`, `reshape`, `transpose`, `permute`, `squeeze`, `unsqueeze`, `flip`, `flatten`, `expand`,
    `gather`, `chunk`, `split`, `sum`, `mean`, `max`, `min`, `cat`, `stack`, `arange` and `+`, with
    PyTorch's meaning, and beside the tensors the names `lengths`, `batch`, `steps`, `hidden_size`,
    `num_layers` and `num_directions`.

    Args:
        shape: the recurrent stack.
        steps: columns of the grid, padding included.
        select: such as `"output[:, -1]"`; without it the report shows the tensors alone.
        lengths: real steps of each sample; all steps when absent.
        batch: samples; taken from `lengths`, or 2, so that mixed samples can be seen.
        framework: `"torch"`, `"keras"`, `"onnx"` or `"flax"`: whose tensors, names and axes.
        batch_first: PyTorch's `batch_first`, or ONNX's `layout=1`. When it is not given, PyTorch's
            default is taken, unless the expression would then take a sample where it takes a step
            with `batch_first=True`, as `output[:, -1]` does; a note in the report says so.
        field: a state, such as `"h[layer=1, reverse, step=4]"`, whose receptive field the grids
            mark: the states and the steps of the input that it was computed from.

    Returns:
        A report with the selection and a grid for each kind of sample; without a selection, or in
        another framework than PyTorch, the table of its tensors too.

    Raises:
        TypeError: the lengths are not integers.
        UsageError: the expression can't be read or does not fit; the message names the column.
        ValueError: fewer than one step or sample, a length that is not between 1 and `steps`, an
            unknown framework, a field of a state that no sample has.

    >>> shape = StackShape("lstm", 8, 4, bidirectional=True)
    >>> report = explain_selection(shape, 5, "output[-1]")
    >>> str(report.selection.at(0, 7)[0].address)  # sample 0, the last column
    'h[layer=0, reverse, step=4]'
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"framework is {framework!r}; it must be one of {', '.join(FRAMEWORKS)}.")
    for name, number in (("steps", steps), ("batch", batch)):
        if number is not None and number < 1:
            raise ValueError(f"{name} is {number}; it must be 1 or more.")
    if framework != "torch" and shape.proj_size:
        raise UsageError(
            f"only PyTorch's LSTM projects h, and the framework is {framework!r}; leave proj_size "
            "out, or take 'torch'"
        )
    if lengths is not None:
        batch = len(lengths) if batch is None else batch
    batch = 2 if batch is None else batch
    try:  # before a list of so many lengths is made
        check_size(steps * batch * shape.output_size, "output")
    except SelectionFault as fault:
        raise UsageError(f"{fault}.") from None
    checked = tuple(map(int, check_lengths(lengths, batch=batch, steps=steps)))
    chosen = None if field is None else chosen_state(shape, steps, checked, field)
    stack = _Stack(StateCodes(shape, steps, batch), checked, framework)
    if select is None:
        _, table = stack.tensors(bool(batch_first))
        grids = selection_grids(shape, steps, checked, [frozenset()] * batch, chosen)
        return Report("Grid of states", (*grids, table))
    part = stack.selected(select, bool(batch_first)) if batch_first is not None else None
    part = stack.guessed(select) if part is None else part
    tables = () if framework == "torch" else (stack.tensors(bool(batch_first))[1],)
    taken = [part.addresses(sample) for sample in range(batch)]
    grids = selection_grids(shape, steps, checked, taken, chosen)
    return Report(f"What {part.expression} holds", (*grids, part, *tables))


@dataclass(frozen=True, slots=True)
class _Stack:
    """What is selected from."""

    codes: StateCodes
    lengths: tuple[int, ...]
    framework: Framework

    def tensors(self, batch_first: bool) -> tuple[FrameworkTensors, TablePart]:
        try:
            tensors = framework_tensors(self.framework, self.codes, self.lengths, batch_first)
            return tensors, tensor_table(tensors, self.codes, self.lengths)
        except SelectionFault as fault:
            raise UsageError(f"{fault}.") from None

    def guessed(self, expression: str) -> SelectionPart:
        """The selection time first, or batch first where only that takes all samples."""
        failure, plain = None, None
        try:
            plain = self.selected(expression, False)
        except UsageError as fault:
            failure = fault
        if plain is not None and (self.framework != "torch" or takes_samples_alike(plain)):
            return plain
        try:
            other = self.selected(expression, True) if self.framework == "torch" else None
        except UsageError:
            other = None
        if other is not None and takes_samples_alike(other):
            otherwise = "it would take samples where it takes steps" if plain else "it would fail"
            note = f"Read with batch_first=True; with PyTorch's default {otherwise}."
            return replace(other, notes=(note,))
        if plain is None:
            raise failure or UsageError("the selection can't be read.")
        return plain

    def selected(self, expression: str, batch_first: bool) -> SelectionPart:
        tensors, _ = self.tensors(batch_first)
        names = {
            **tensors.names,
            **{alias: tensors.names[name] for alias, name in tensors.aliases.items()},
            **_numbers(self.codes, self.lengths),
        }
        found = read_selection(expression, names)
        try:
            pieces = pieces_of(*found.sources(), self.codes)
        except SelectionFault as fault:
            raise UsageError(f"{expression!r}: {fault}.") from None
        return SelectionPart(
            expression=" ".join(expression.split()),
            origin=tensors.source,
            framework=self.framework,
            shape=self.codes.shape,
            steps=self.codes.steps,
            lengths=self.lengths,
            sizes=tuple(found.shape),
            pieces=pieces,
            batch_first=batch_first,
            padding=tensors.padding,
        )


def _numbers(codes: StateCodes, lengths: tuple[int, ...]) -> Mapping[str, Any]:
    """The names of an expression that are no tensors of states."""
    shape = codes.shape
    return {
        "lengths": np.array(lengths, np.int64),
        "batch": codes.batch,
        "steps": codes.steps,
        "hidden_size": shape.hidden_size,
        "num_layers": shape.num_layers,
        "num_directions": shape.num_directions,
    }
