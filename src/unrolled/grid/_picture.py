"""What a picture of a grid shows, before it is text or HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._address import Direction

_MOST_STEPS, _MOST_LAYERS, _MOST_SAMPLES = 24, 12, 6  # of numbers of two digits


@dataclass(frozen=True, slots=True)
class PictureCell:
    """One state in the picture, or a gap where steps were left out (`step` is `None`)."""

    step: int | None
    real: bool
    in_output: bool
    in_hidden_state: bool


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One layer of one direction; a gap where layers were left out (`layer` is `None`)."""

    layer: int | None
    direction: Direction
    cells: tuple[PictureCell, ...]


@dataclass(frozen=True, slots=True)
class PictureSample:
    """The top forward row of one sample of a ragged batch."""

    sample: int
    length: int
    cells: tuple[PictureCell, ...]


@dataclass(frozen=True, slots=True)
class PictureTensor:
    """A tensor that the run returned, and its shape in words and in numbers."""

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The grid of one sample, and for a ragged batch where each sample ends.

    Attributes:
        heading: the sizes in one line; empty when there is no run.
        steps: the columns; `None` for those left out of a long grid.
        rows: direction by direction, the top layer first.
        padded: whether the sample drawn has padded steps, or another one has.
        samples: the samples of a ragged batch, the first few of them.
        drawn: the sample that the rows show, when it matters which.
        samples_left_out: what is said of the samples that are not drawn; empty when all are.
        tensors: `output`, `hidden_state` and `cell_state`.
    """

    heading: str
    steps: tuple[int | None, ...]
    rows: tuple[PictureRow, ...]
    padded: bool
    samples: tuple[PictureSample, ...] = ()
    drawn: int | None = None
    samples_left_out: str = ""
    tensors: tuple[PictureTensor, ...] = ()

    @classmethod
    def of_sizes(
        cls, *, num_layers: int, directions: Sequence[Direction], steps: int, length: int
    ) -> "Picture":
        """The picture of one sample of which nothing but the sizes is known.

        Args:
            num_layers: rows of the grid.
            directions: the directions that run.
            steps: columns of the grid, padding included.
            length: real steps of the sample.
        """
        columns = _columns(steps, length)
        layers = _elided(num_layers, _MOST_LAYERS)
        return cls(
            heading="",
            steps=columns,
            rows=tuple(
                PictureRow(
                    layer,
                    direction,
                    _cells(columns, length, direction, top=layer == num_layers - 1)
                    if layer is not None
                    else (),
                )
                for direction in directions
                for layer in reversed(layers)
            ),
            padded=length < steps,
        )

    @classmethod
    def of_grid(cls, grid: Any) -> "Picture":
        """The picture of a run; of a ragged batch the first of the longest samples is drawn.

        Args:
            grid: a `StateGrid`.
        """
        lengths = [int(length) for length in grid.lengths]
        length = max(lengths, default=grid.steps)
        plain = cls.of_sizes(
            num_layers=grid.num_layers,
            directions=grid.directions,
            steps=grid.steps,
            length=length,
        )
        ragged = len(set(lengths)) > 1
        shown = lengths[:_MOST_SAMPLES] if ragged else []
        left_out = len(lengths) - len(shown) if ragged else 0
        return cls(
            heading=_heading(grid),
            steps=plain.steps,
            rows=plain.rows,
            padded=plain.padded or ragged,
            samples=tuple(
                PictureSample(sample, real, _cells(plain.steps, real, "forward", top=True))
                for sample, real in enumerate(shown)
            ),
            drawn=lengths.index(length) if ragged else None,
            samples_left_out=f"{left_out} more, lengths {min(lengths)} to {max(lengths)}"
            if left_out
            else "",
            tensors=_tensors(grid),
        )


def _cells(
    columns: Sequence[int | None], length: int, direction: Direction, *, top: bool
) -> tuple[PictureCell, ...]:
    last = length - 1 if direction == "forward" else 0
    return tuple(
        PictureCell(
            step=step,
            real=step is not None and step < length,
            in_output=step is not None and step < length and top,
            in_hidden_state=step == last,
        )
        for step in columns
    )


def _elided(size: int, most: int) -> tuple[int | None, ...]:
    """All of `range(size)`, or both its ends around a gap."""
    if size <= most:
        return tuple(range(size))
    end = max(1, most // 2 - 1)
    return (*range(end), None, *range(size - end, size))


def _columns(steps: int, length: int) -> tuple[int | None, ...]:
    """The steps to draw: never without the last real one and the last one."""
    most = _MOST_STEPS * 3 // (1 + max(2, len(str(steps - 1))))
    real = _elided(length, most)
    padding = _elided(steps - length, max(3, most - len(real)))
    return (*real, *(None if step is None else length + step for step in padding))


def _heading(grid: Any) -> str:
    kinds = f"h of {grid.hidden.shape[-1]}"
    if grid.cell is not None:
        kinds += f", c of {grid.cell.shape[-1]}"
    layers = "1 layer" if grid.num_layers == 1 else f"{grid.num_layers} layers"
    steps = "1 step" if grid.steps == 1 else f"{grid.steps} steps"
    batch = f"batch of {grid.batch}" if grid.batched else "unbatched"
    dtype = str(grid.hidden.dtype).removeprefix("torch.")
    device = str(grid.hidden.device)
    where = "" if device.startswith("cpu") else f" on {device}"
    directions = " and ".join(grid.directions)
    return f"{layers} × {steps}, {directions}, {batch}, {kinds}, {dtype}{where}"


def _tensors(grid: Any) -> tuple[PictureTensor, ...]:
    layers, directions, steps, batch, hidden = (int(size) for size in grid.hidden.shape)
    time = [("step", steps), ("batch", batch)]
    if not grid.batched:
        time = time[:1]
    elif grid.batch_first:
        time.reverse()
    found = [("output", [*time, ("direction · hidden", directions * hidden)])]
    sizes = [("hidden_state", "hidden", hidden)]
    if grid.cell is not None:
        sizes.append(("cell_state", "cell", int(grid.cell.shape[-1])))
    for name, unit, size in sizes:
        across = [("batch", batch)] if grid.batched else []
        found.append((name, [("layer · direction", layers * directions), *across, (unit, size)]))
    return tuple(
        PictureTensor(name, tuple(size for _, size in axes), tuple(axis for axis, _ in axes))
        for name, axes in found
    )
