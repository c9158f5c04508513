"""The picture of a grid in plain text."""

from typing import Any

from ._picture import PictureCell, grid_heading, grid_note, picture_rows, picture_steps

_ARROW = {"forward": "→", "reverse": "←"}


def grid_text(grid: Any) -> str:
    """A few lines that show which states a `StateGrid` holds and which tensors they are in.

    Args:
        grid: a `StateGrid`.
    """
    length = int(grid.lengths.max(initial=0)) or grid.steps
    rows = picture_rows(
        num_layers=grid.num_layers, directions=grid.directions, steps=grid.steps, length=length
    )
    steps = picture_steps(grid.steps)
    width = max(2, len(str(grid.steps - 1))) + 1
    margin = len(f"  layer {grid.num_layers - 1}")
    numbers = "".join(("…" if step is None else str(step)).rjust(width) for step in steps)
    lines = [f"StateGrid: {grid_heading(grid)}", f"{'  step':<{margin}}{numbers}"]
    for number, row in enumerate(rows):
        if number % grid.num_layers == 0:
            lines.append(f"{row.direction} {_ARROW[row.direction]}")
        marks = "".join(_mark(cell).rjust(width) for cell in row.cells)
        lines.append(f"{f'  layer {row.layer}':<{margin}}{marks}")
    lines.append(
        "○ output   ● hidden_state   ◉ both   · neither" + _padding_key(length, grid.steps)
    )
    note = grid_note(grid)
    return "\n".join(lines if note is None else [*lines, note])


def _padding_key(length: int, steps: int) -> str:
    return "   ╌ padding" if length < steps else ""


def _mark(cell: PictureCell) -> str:
    if cell.step is None:
        return "…"
    if not cell.real:
        return "╌"
    if cell.in_output:
        return "◉" if cell.in_hidden_state else "○"
    return "●" if cell.in_hidden_state else "·"
