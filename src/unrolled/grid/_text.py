"""The picture of a grid in plain text."""

from collections.abc import Collection, Sequence

from ._address import Direction, Kind, StateAddress
from ._picture import Picture, PictureCell

_ARROW: dict[Direction, str] = {"forward": "→", "reverse": "←"}


def picture_lines(
    *,
    num_layers: int,
    directions: Sequence[Direction],
    steps: int,
    length: int,
    selected: Collection[StateAddress] = (),
    field: Collection[StateAddress] = (),
) -> list[str]:
    """The grid of one sample in a few lines: its states, and which tensors hold them.

    Args:
        num_layers: rows of the grid.
        directions: the directions that run.
        steps: columns of the grid, padding included.
        length: real steps of the sample.
        selected: states to put in square brackets; where a cell state is among them, the cell
            states have rows of their own.
        field: states to put in round brackets, or in braces where they are selected too.
    """
    picture = Picture.of_sizes(
        num_layers=num_layers, directions=directions, steps=steps, length=length
    )
    return _lines(picture, frozenset(selected), frozenset(field))


def picture_text(picture: Picture) -> str:
    """A picture as text, its heading first.

    Args:
        picture: of a run.
    """
    tensors = "   ".join(f"{tensor.name} {tensor.shape}" for tensor in picture.tensors)
    return "\n".join([f"StateGrid: {picture.heading}", *_lines(picture), tensors])


def _lines(
    picture: Picture,
    selected: frozenset[StateAddress] = frozenset(),
    field: frozenset[StateAddress] = frozenset(),
) -> list[str]:
    marked = selected | field
    cells = any(address.kind == "cell" for address in marked)
    step_width = max(2, *(len(str(step)) for step in picture.steps if step is not None)) + 1
    labels = [f"  layer {row.layer}" for row in picture.rows if row.layer is not None]
    labels += [f"  sample {sample.sample}" for sample in picture.samples]
    margin = max(map(len, labels)) + 2 * cells
    closing = " " if marked else ""  # room for a bracket

    def line(label: str, marks: Sequence[str]) -> str:
        width = step_width + len(closing)
        joined = "".join(mark.rjust(width) for mark in marks)
        return f"{label:<{margin}}{joined}".rstrip()

    steps = ["…" if step is None else str(step) for step in picture.steps]
    lines = [line("  step", [f"{step}{closing}" for step in steps])]
    direction = None
    for row in picture.rows:
        if row.direction != direction:
            direction = row.direction
            lines.append(f"{direction} {_ARROW[direction]}")
        if row.layer is None:
            lines.append("  ⋮")
            continue
        kinds: tuple[Kind, ...] = ("hidden", "cell") if cells else ("hidden",)
        for kind in kinds:
            letter = "h" if kind == "hidden" else "c"
            label = f"  layer {row.layer} {letter}" if cells else f"  layer {row.layer}"
            lane = kind, row.layer, direction
            taken, computed = (
                {one.step for one in states if (one.kind, one.layer, one.direction) == lane}
                for states in (selected, field)
            )
            marks = [_mark(cell, kind) for cell in row.cells]
            if marked:
                marks = [
                    _bracketed(mark, shown in taken, shown in computed)
                    for mark, shown in zip(marks, picture.steps, strict=True)
                ]
            lines.append(line(label, marks))
    if picture.samples:
        lines.append(f"above: sample {picture.drawn}. The top forward row of each sample:")
        lines += [
            line(f"  sample {sample.sample}", [_mark(cell) for cell in sample.cells])
            + f"   length {sample.length}"
            for sample in picture.samples
        ]
    if picture.samples_left_out:
        lines.append(f"  … {picture.samples_left_out}")
    return [*lines, *_key(picture, selected, field, cells)]


def _bracketed(mark: str, selected: bool, in_field: bool) -> str:
    if selected and in_field:
        return f"{{{mark}}}"
    if in_field:
        return f"({mark})"
    return f"[{mark}]" if selected else f"{mark} "


def _key(
    picture: Picture,
    selected: frozenset[StateAddress],
    field: frozenset[StateAddress],
    cells: bool,
) -> list[str]:
    key = "○ output   ● hidden_state   ◉ both   · neither"
    if cells:
        key = "○ output   ● hidden_state, for c cell_state   ◉ both   · neither"
    if selected:
        key += "   [ ] selected"
    if picture.padded:
        key += "   ╌ padding"
    drawn = set(picture.steps)
    lines = [key]
    if field:
        both = "   { } selected, and in it" if selected & field else ""
        lines.append(f"( ) receptive field{both}")
    for what, states in (("selected", selected), ("in the field", field)):
        hidden = {address.step for address in states} - drawn
        if hidden:
            lines.append(f"{what} too, but not drawn: {len(hidden)} of the steps left out at …")
    return lines


def _mark(cell: PictureCell, kind: Kind = "hidden") -> str:
    if cell.step is None:
        return "…"
    if not cell.real:
        return "╌"
    if cell.in_output and kind == "hidden":
        return "◉" if cell.in_hidden_state else "○"
    return "●" if cell.in_hidden_state else "·"
