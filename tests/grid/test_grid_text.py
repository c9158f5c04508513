"""The text picture: golden files, and a reader that knows whether a picture is true."""

from pathlib import Path

import numpy as np
import pytest
from coded_grids import Run, runs
from example_grids import examples
from hypothesis import given
from hypothesis import strategies as st
from pictured import check, read

from unrolled.grid import StateGrid, picture_lines

GOLDENS = Path(__file__).with_name("goldens")
NAMES = sorted(examples())


@pytest.mark.parametrize("name", NAMES)
def test_drawn_as_before(name: str) -> None:
    golden = (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")
    assert f"{examples()[name]!r}\n" == golden, (
        f"{name} is drawn otherwise than before; if that is meant, run "
        "python tests/grid/write_grid_goldens.py and look at the diff"
    )


def test_no_golden_without_example() -> None:
    assert sorted(path.stem for path in GOLDENS.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_the_golden_shows_is_true(name: str) -> None:
    golden = (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")
    check(read(golden), examples()[name])


@given(runs())
def test_every_picture_is_true(run: Run) -> None:
    grid = run.grid()
    check(read(repr(grid)), grid)


@st.composite
def _large(draw: st.DrawFn) -> StateGrid:
    layers, directions = draw(st.integers(1, 30)), draw(st.integers(1, 2))
    steps = draw(st.integers(1, 3000))
    lengths = draw(st.lists(st.integers(1, steps), min_size=1, max_size=12))
    axes = (layers, directions, steps, len(lengths), 2)
    return StateGrid(np.broadcast_to(np.float32(0), axes), lengths=lengths)


@given(_large())
def test_a_large_grid_stays_small_and_true(grid: StateGrid) -> None:
    """The first and last steps and layers are drawn, and so is the step where the sample ends."""
    text = repr(grid)
    found = read(text)
    check(found, grid)
    longest = int(grid.lengths.max())
    assert all(longest - 1 in marks for marks in found.rows.values())
    assert len(text.splitlines()) <= 2 * 13 + 14
    assert max(map(len, text.splitlines())) <= 110


def test_a_reader_that_finds_a_wrong_mark() -> None:
    """The check of the goldens can fail: every mark of a picture, made another, is found."""
    grid = examples()["lstm-2-both-ragged"]
    text = repr(grid)
    body = text.index("forward →")
    key = text.index("○ output")
    for place in range(body, key):
        for mark in set("·○●◉╌") - {text[place]}:
            if text[place] in "·○●◉╌":
                with pytest.raises((AssertionError, KeyError)):
                    check(read(text[:place] + mark + text[place + 1 :]), grid)


def test_lines_of_a_shape_alone() -> None:
    """The picture without a run is the one that a run prints."""
    grid = StateGrid(np.zeros((2, 2, 5, 1, 4)), lengths=[3])
    _, *lines, _ = repr(grid).splitlines()
    assert picture_lines(num_layers=2, directions=grid.directions, steps=5, length=3) == lines
