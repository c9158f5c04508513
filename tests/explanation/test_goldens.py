"""Golden files, and what must be true of each, so that a wrong one can't be made golden."""

from pathlib import Path

import pytest
from drawn_grid import check_grid, check_places, drawn_grids, layout_of
from example_reports import examples, renderings

from unrolled.explanation import GridPart, Report
from unrolled.grid import StateAddress

GOLDENS = Path(__file__).with_name("goldens")
NAMES = sorted(examples())
FILES = [(name, ending) for name in NAMES for ending in renderings(name, examples()[name])]
PICTURES = [(name, ending) for name, ending in FILES if ending in ("svg", "html")]


def _golden(name: str, ending: str) -> str:
    return (GOLDENS / f"{name}.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "ending"), FILES)
def test_drawn_as_before(name: str, ending: str) -> None:
    drawn = renderings(name, examples()[name])[ending]
    assert drawn == _golden(name, ending), (
        f"{name}.{ending} is drawn otherwise than before; if that is meant, run "
        "python tests/explanation/write_goldens.py and look at the diff"
    )


def test_no_golden_without_example() -> None:
    assert {path.name for path in GOLDENS.iterdir()} == {".".join(file) for file in FILES}


@pytest.mark.parametrize(("name", "ending"), PICTURES)
def test_what_the_golden_shows_is_true(name: str, ending: str) -> None:
    report = Report.from_json(_golden(name, "json"))
    grids = drawn_grids(_golden(name, ending))
    parts = report.of(GridPart)
    assert len(grids) == len(parts) > 0
    for part, states in zip(parts, grids, strict=True):
        check_grid(part, states)
        check_places(part, states)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_golden_text_shows_is_true(name: str) -> None:
    """Each row of marks, read back: ○ in output, ● in hidden_state, ◉ in both."""
    report = Report.from_json(_golden(name, "json"))
    rows, direction = [], ""
    for line in _golden(name, "txt").splitlines():
        if line.startswith(("forward", "reverse")):
            direction = line.split()[0]
        elif line.startswith("  layer ") and "." not in line:  # and no row of numbers
            rows.append((direction, int(line.split()[1]), line.split()[2:]))
    for part in report.of(GridPart):
        layout = layout_of(part)
        output, finals = set(layout.output), set(layout.hidden_state)
        for _ in range(part.shape.num_rows):
            direction, layer, marks = rows.pop(0)
            assert len(marks) == part.steps
            for step, mark in enumerate(mark.strip("[](){}") for mark in marks):
                address = StateAddress("hidden", layer, direction, step)
                truth = "·○●◉"[(address in output) + 2 * (address in finals)]
                assert mark == (truth if step < part.length else "╌")
    assert rows == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("selected")])
def test_what_the_golden_marks_is_what_the_selection_holds(name: str) -> None:
    """In the pieces, in the pictures and in square brackets stand the same states."""
    report = Report.from_json(_golden(name, "json"))
    grids = [part for part in report.parts if isinstance(part, GridPart)]
    held = {sample: report.selection.addresses(sample) for sample in range(2)}
    for part, drawn in zip(grids, drawn_grids(_golden(name, "svg")), strict=True):
        sample = int(part.name.split()[-1]) if part.name.startswith("sample ") else 0
        assert {e.address for e in part.states if e.selected} == held[sample]
        assert {state.address for state in drawn if state.selected} == held[sample]
    text = _golden(name, "txt")
    brackets = sum(text.count(f"[{mark}]") for mark in "·○●◉")
    assert brackets == sum(entry.selected for part in grids for entry in part.states)
