"""Reads the text picture of a grid back, and holds each mark against the layout."""

import re
from dataclasses import dataclass, field

from unrolled.grid import Direction, Layout, StateAddress, StateGrid

Marks = dict[int, str]  # by step; steps that are left out are not in it
MEANING = {"·": (False, False), "○": (True, False), "●": (False, True), "◉": (True, True)}


@dataclass
class Pictured:
    """What a text picture shows."""

    rows: dict[tuple[int, Direction], Marks] = field(default_factory=dict)
    samples: dict[int, tuple[Marks, int]] = field(default_factory=dict)
    drawn: int = 0
    layers_left_out: bool = False
    tensors: dict[str, tuple[int, ...]] = field(default_factory=dict)


def read(text: str) -> Pictured:
    """Parse a picture by its own rules: a column belongs to the step whose number ends above."""
    _, header, *lines = text.splitlines()
    columns = {match.end() - 1: match[0] for match in re.finditer(r"\d+|…", header)}
    found, direction = Pictured(), "forward"

    def marks(line: str) -> Marks:
        cells = {column: line[column] for column in columns}
        assert all((cells[column] == "…") == (name == "…") for column, name in columns.items())
        return {int(name): cells[column] for column, name in columns.items() if name != "…"}

    for line in lines[:-2]:
        if match := re.fullmatch(r"(forward|reverse) [→←]", line):
            direction = match[1]
        elif match := re.match(r"  layer (\d+) ", line):
            found.rows[int(match[1]), direction] = marks(line)
        elif match := re.match(r"  sample (\d+) .* length (\d+)$", line):
            found.samples[int(match[1])] = (marks(line), int(match[2]))
        elif match := re.match(r"above: sample (\d+)\.", line):
            found.drawn = int(match[1])
        elif line == "  ⋮":
            found.layers_left_out = True
        else:
            assert re.fullmatch(r"  … \d+ more, lengths \d+ to \d+", line), line
    for name, axes in re.findall(r"(\w+) \(([\d, ]+)\)", lines[-1]):
        found.tensors[name] = tuple(int(size) for size in re.findall(r"\d+", axes))
    return found


def check(found: Pictured, grid: StateGrid) -> None:
    """What holds of every picture of a grid."""
    lengths = grid.lengths.tolist() or [grid.steps]
    assert lengths[found.drawn] == max(lengths)
    _check_rows(found.rows, grid, lengths[found.drawn])
    for sample, (marks, length) in found.samples.items():
        assert length == lengths[sample]
        _check_rows({(grid.num_layers - 1, "forward"): marks}, grid, length)
    assert bool(found.samples) == (len(set(lengths)) > 1)

    layers = [layer for layer, direction in found.rows if direction == "forward"]
    assert layers == sorted(layers, reverse=True)
    assert {0, grid.num_layers - 1} <= set(layers)
    assert found.layers_left_out == (len(layers) < grid.num_layers)
    assert set(found.rows) == {(n, name) for n in layers for name in grid.directions}

    shapes = {name: tuple(getattr(grid, name).shape) for name in ("output", "hidden_state")}
    if grid.cell is not None:
        shapes["cell_state"] = tuple(grid.cell_state.shape)
    assert found.tensors == shapes


def _check_rows(rows: dict[tuple[int, Direction], Marks], grid: StateGrid, length: int) -> None:
    layout = Layout(grid.num_layers, grid.num_directions == 2, steps=grid.steps, lengths=[length])
    output, finals = set(layout.output), set(layout.hidden_state)
    for (layer, direction), marks in rows.items():
        assert {0, grid.steps - 1} <= set(marks)
        for step, mark in marks.items():
            address = StateAddress("hidden", layer, direction, step)
            if step < length:
                assert MEANING[mark] == (address in output, address in finals), str(address)
            else:
                assert mark == "╌"
