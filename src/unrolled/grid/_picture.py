"""What a picture of a grid shows, before it is text or HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._address import Direction

_MOST_COLUMNS = 24
_EDGE_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class PictureCell:
    """One state in the picture, or a gap where columns were left out (`step` is `None`)."""

    step: int | None
    real: bool
    in_output: bool
    in_hidden_state: bool


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One layer and direction; the top layer is drawn first."""

    layer: int
    direction: Direction
    cells: tuple[PictureCell, ...]


def picture_steps(steps: int) -> tuple[int | None, ...]:
    """The steps to draw; `None` stands for those left out of a long grid."""
    if steps <= _MOST_COLUMNS:
        return tuple(range(steps))
    return (*range(_EDGE_COLUMNS), None, *range(steps - _EDGE_COLUMNS, steps))


def picture_rows(
    *, num_layers: int, directions: Sequence[Direction], steps: int, length: int
) -> list[PictureRow]:
    """The rows of the picture of one sample, direction by direction, top layer first.

    Args:
        num_layers: rows of the grid.
        directions: the directions that ran.
        steps: columns of the grid, padding included.
        length: real steps of the sample drawn.
    """
    rows = []
    for direction in directions:
        last = length - 1 if direction == "forward" else 0
        for layer in reversed(range(num_layers)):
            cells = tuple(
                PictureCell(
                    step=step,
                    real=step is not None and step < length,
                    in_output=step is not None and step < length and layer == num_layers - 1,
                    in_hidden_state=step == last,
                )
                for step in picture_steps(steps)
            )
            rows.append(PictureRow(layer, direction, cells))
    return rows


def grid_heading(grid: Any) -> str:
    """Sizes of a grid in one line."""
    kinds = f"h of {grid.hidden.shape[-1]}"
    if grid.cell is not None:
        kinds += f", c of {grid.cell.shape[-1]}"
    layers = "1 layer" if grid.num_layers == 1 else f"{grid.num_layers} layers"
    steps = "1 step" if grid.steps == 1 else f"{grid.steps} steps"
    batch = f"batch of {grid.batch}" if grid.batched else "unbatched"
    return f"{layers} × {steps}, {' and '.join(grid.directions)}, {batch}, {kinds}"


def grid_note(grid: Any) -> str | None:
    """What the picture of one sample leaves unsaid about the others."""
    if grid.batch < 2 or (grid.lengths == grid.lengths[0]).all():
        return None
    drawn = int(grid.lengths.argmax())
    return (
        f"drawn: sample {drawn}; lengths run from {grid.lengths.min()} to {grid.lengths.max()}, "
        "and each sample's forward final state stands at its own last step"
    )
