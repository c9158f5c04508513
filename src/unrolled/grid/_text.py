"""The picture of a grid in plain text."""

from collections.abc import Sequence

from ._address import Direction
from ._picture import Picture, PictureCell

_ARROW: dict[Direction, str] = {"forward": "→", "reverse": "←"}


def picture_lines(
    *, num_layers: int, directions: Sequence[Direction], steps: int, length: int
) -> list[str]:
    """The grid of one sample in a few lines: its states, and which tensors hold them.

    Args:
        num_layers: rows of the grid.
        directions: the directions that run.
        steps: columns of the grid, padding included.
        length: real steps of the sample.
    """
    return _lines(
        Picture.of_sizes(num_layers=num_layers, directions=directions, steps=steps, length=length)
    )


def picture_text(picture: Picture) -> str:
    """A picture as text, its heading first.

    Args:
        picture: of a run.
    """
    tensors = "   ".join(f"{tensor.name} {tensor.shape}" for tensor in picture.tensors)
    return "\n".join([f"StateGrid: {picture.heading}", *_lines(picture), tensors])


def _lines(picture: Picture) -> list[str]:
    step_width = max(2, *(len(str(step)) for step in picture.steps if step is not None)) + 1
    labels = [f"  layer {row.layer}" for row in picture.rows if row.layer is not None]
    labels += [f"  sample {sample.sample}" for sample in picture.samples]
    margin = max(map(len, labels))

    def line(label: str, marks: Sequence[str]) -> str:
        return f"{label:<{margin}}" + "".join(mark.rjust(step_width) for mark in marks)

    lines = [line("  step", ["…" if step is None else str(step) for step in picture.steps])]
    direction = None
    for row in picture.rows:
        if row.direction != direction:
            direction = row.direction
            lines.append(f"{direction} {_ARROW[direction]}")
        lines.append(
            "  ⋮"
            if row.layer is None
            else line(f"  layer {row.layer}", [_mark(cell) for cell in row.cells])
        )
    if picture.samples:
        lines.append(f"above: sample {picture.drawn}. The top forward row of each sample:")
        lines += [
            line(f"  sample {sample.sample}", [_mark(cell) for cell in sample.cells])
            + f"   length {sample.length}"
            for sample in picture.samples
        ]
    if picture.samples_left_out:
        lines.append(f"  … {picture.samples_left_out}")
    key = "○ output   ● hidden_state   ◉ both   · neither"
    return [*lines, f"{key}   ╌ padding" if picture.padded else key]


def _mark(cell: PictureCell) -> str:
    if cell.step is None:
        return "…"
    if not cell.real:
        return "╌"
    if cell.in_output:
        return "◉" if cell.in_hidden_state else "○"
    return "●" if cell.in_hidden_state else "·"
