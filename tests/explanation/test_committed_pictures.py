"""The pictures of the README and the docs are those that the program draws."""

import runpy
from pathlib import Path

import pytest
from drawn_grid import check_grid, drawn_grids

from unrolled.explanation import explain_shape
from unrolled.grid import StackShape

ASSETS = Path(__file__).parents[2] / "docs" / "assets"
PICTURES = runpy.run_path(str(ASSETS / "draw_grid.py"))["pictures"]()


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_committed_as_drawn(name):
    committed = (ASSETS / name).read_text(encoding="utf-8")
    assert committed == PICTURES[name], "run: python docs/assets/draw_grid.py"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_of_the_readme_is_true(theme):
    (states,) = drawn_grids((ASSETS / f"grid-{theme}.svg").read_text(encoding="utf-8"))
    shape = StackShape("lstm", 1, 1, num_layers=2, bidirectional=True)
    check_grid(explain_shape(shape, steps=5).parts[0], states)
