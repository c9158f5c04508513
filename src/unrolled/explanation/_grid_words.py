"""What the grid picture says in words: of the whole, and of each state."""

from __future__ import annotations

from ._grid_part import GridPart, StateEntry
from ._grid_values import describe_values
from ._receptive_field import describe_field
from ._symbol import isolated, shown
from ._value_kinds import GATES


def describe_grid(part: GridPart) -> str:
    """One paragraph for those who can't see the picture."""
    shape = part.shape
    layers = f"{shape.num_layers} layer{'s' if shape.num_layers > 1 else ''}"
    ways = "forward and reverse" if shape.bidirectional else "forward only"
    last = part.length - 1
    finals = f"the forward direction at step {last}"
    if shape.bidirectional:
        finals += " and the reverse direction at step 0"
    padded = part.steps - part.length
    cell = f"{part.cell}, " if part.cell else ""
    sentences = [
        f"{cell}{layers}, {ways}, {part.length} step{'s' if part.length > 1 else ''}.",
        f"output is the last layer at every step; hidden_state is every layer: {finals}.",
    ]
    if shape.has_cell_state:
        sentences.append("cell_state is the c of the same places as hidden_state.")
    if padded:
        sentences.append(f"{padded} padded step{'s' if padded > 1 else ''} compute no state.")
    sentences += [words for words in (describe_field(part), describe_values(part)) if words]
    return " ".join(sentences)


def describe_reading(part: GridPart, entry: StateEntry) -> str:
    """What a state has read, such as `has read steps 0 to 4`."""
    first, last = part.has_read(entry.address)
    if first == last:
        return f"has read step {first} only"
    whole = ", the whole input" if (first, last) == (0, part.length - 1) else ""
    return f"has read steps {first} to {last}{whole}"


def describe_state(part: GridPart, entry: StateEntry) -> str:
    """Address, where it is held, what it has read and, where it is known, its norm: a line each."""
    lines = [str(entry.address)]
    if entry.selected:
        lines.append("selected")
    if entry.address == part.chosen:
        lines.append("the state whose receptive field is marked")
    elif entry.address in part.field:
        lines.append(f"in the receptive field of {part.field_of}")
    if part.symbols:
        lines.append(f"at {isolated(shown(part.symbols[entry.address.step]))}")
    if entry.slots:
        lines += [f"= {slot}" for slot in entry.slots]
    else:
        lines.append("in none of the tensors a layer returns")
    lines.append(describe_reading(part, entry))
    if entry.norm is not None:
        lines.append(f"norm {entry.norm:.3f}")
    if entry.gate is not None:
        lines.append(f"{GATES[part.values].spoken} {entry.gate:.3f}")
    return "\n".join(lines)


def describe_padding(part: GridPart, layer: int, step: int) -> str:
    """What stands at a padded step."""
    if layer == part.shape.num_layers - 1:
        return f"step {step} is padding: no state is computed, output is 0 there"
    return f"step {step} is padding: no state is computed"
