"""The tensors of a framework in a table: axes, shape, and the states in each place."""

from __future__ import annotations

from collections.abc import Iterator

from ._address_tensor import AddressTensor
from ._framework_tensors import FrameworkTensors, Tensors
from ._selection_part import SelectionPart
from ._selection_pieces import pieces_of
from ._selection_words import selection_sentences
from ._state_codes import StateCodes
from ._table_part import TablePart


def tensor_table(
    tensors: FrameworkTensors, codes: StateCodes, lengths: tuple[int, ...]
) -> TablePart:
    """Axes and shape of each tensor, and a row for each thing that it holds.

    Args:
        tensors: of the framework.
        codes: what their elements mean.
        lengths: real steps of each sample.

    Raises:
        SelectionFault: the tensors are too large to be told.
    """
    rows: list[tuple[str, ...]] = []
    other = {name: alias for alias, name in tensors.aliases.items()}
    for name, held in tensors.names.items():
        for path, tensor in _flat(name, held):
            part = SelectionPart(
                expression=path,
                origin=tensors.source,
                framework="",
                shape=codes.shape,
                steps=codes.steps,
                lengths=lengths,
                sizes=tensor.shape,
                pieces=pieces_of(*tensor.sources(), codes),
                padding=tensors.padding,
            )
            named = f"{path} ({other[name]})" if path in other else path
            rows.append((named, f"({', '.join(tensors.axes[name])})", str(tensor.shape)))
            rows += [("", one.place, one.states) for one in selection_sentences(part)]
    title = f"What {tensors.source} returns"
    return TablePart(title, ("tensor", "place", "holds"), tuple(rows))


def _flat(name: str, tensors: Tensors) -> Iterator[tuple[str, AddressTensor]]:
    if isinstance(tensors, tuple):
        for place, one in enumerate(tensors):
            yield from _flat(f"{name}[{place}]", one)
    else:
        yield name, tensors
