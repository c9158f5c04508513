"""The values of a run that a picture can shade its states by: their norm, or a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..grid import Kind, StackShape

NORM = "norm"


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of a cell.

    Attributes:
        name: what it is called.
        cell: the cell that has it.
        kind: the state that it makes, and so the box that shows it.
        block: its place among the blocks of rows of a weight, in PyTorch's order.
        words: what it lets through.
    """

    name: str
    cell: str
    kind: Kind
    block: int
    words: str

    @property
    def spoken(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


GATES = {
    gate.name: gate
    for gate in (
        Gate("input_gate", "lstm", "cell", 0, "how much of the new candidate c takes in"),
        Gate("forget_gate", "lstm", "cell", 1, "how much of the c before is kept"),
        Gate("output_gate", "lstm", "hidden", 3, "how much of tanh(c) is let out as h"),
        Gate("reset_gate", "gru", "hidden", 0, "how much of the h before enters the candidate"),
        Gate("update_gate", "gru", "hidden", 1, "how much of the h before is kept"),
    )
}


def check_values(values: str, shapes: Sequence[StackShape]) -> None:
    """Refuse values that none of these stacks has.

    Args:
        values: what is asked for.
        shapes: the stacks of a run.

    Raises:
        UsageError: there are no such values; the message names those there are.
    """
    cells = tuple(dict.fromkeys(shape.cell for shape in shapes))
    there = [NORM, *(gate.name for gate in GATES.values() if gate.cell in cells)]
    if values in there:
        return
    known = ", ".join(there)
    if values in GATES:
        raise UsageError(
            f"values is {values!r}, a gate of {GATES[values].cell}, and this run is of "
            f"{' and '.join(cells)}; it has {known}"
        )
    raise UsageError(f"values is {values!r}; a run of {' and '.join(cells)} has {known}")


def has_values(values: str, shape: StackShape) -> bool:
    """Whether a stack has these values.

    Args:
        values: `"norm"`, or the name of a gate.
        shape: the stack.
    """
    return values == NORM or (values in GATES and GATES[values].cell == shape.cell)
