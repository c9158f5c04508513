"""A report as one SVG picture."""

from __future__ import annotations

from textwrap import wrap
from typing import assert_never

from ._attention_part import AttentionPart
from ._attention_picture import attention_drawing
from ._bridge_part import BridgePart
from ._drawing import Drawing, stacked
from ._grid_part import GridPart
from ._grid_picture import grid_drawing
from ._grid_values import describe_values
from ._legend_picture import legend_drawing
from ._lines_picture import lines_drawing
from ._palette import Theme, themed_css
from ._part_lines import (
    part_heading,
    prediction_lines,
    score_lines,
    selection_lines,
    table_lines,
)
from ._prediction_part import PredictionPart
from ._receptive_field import describe_field
from ._report import Part, Report
from ._selection_part import SelectionPart
from ._table_part import ScorePart, TablePart


def _drawings(part: Part) -> list[Drawing]:
    heading = part_heading(part)
    match part:
        case GridPart():
            said = [*wrap(describe_field(part), 100), *wrap(describe_values(part, drawn=True), 100)]
            return [lines_drawing(heading, said), grid_drawing(part)]
        case AttentionPart():
            return [lines_drawing(heading, []), attention_drawing(part)]
        case BridgePart():
            return [lines_drawing(heading, part.lines)]
        case PredictionPart():
            return [lines_drawing(heading, prediction_lines(part))]
        case ScorePart():
            return [lines_drawing(heading, score_lines(part))]
        case SelectionPart():
            return [lines_drawing(heading, selection_lines(part, 100))]
        case TablePart():
            return [lines_drawing(heading, table_lines(part))]
        case _:
            assert_never(part)


def render_svg(report: Report, theme: Theme = "auto") -> str:
    """The whole report as one SVG document; a single grid stands alone, with its key."""
    grids = report.of(GridPart)
    field = any(grid.field_of for grid in grids)
    plain = not field and not any(grid.values for grid in grids)
    if report.parts == grids and len(grids) == 1 and plain:
        drawings = [grid_drawing(grids[0])]
    else:
        drawings = [drawing for part in report.parts for drawing in _drawings(part)]
    if grids:
        selected = any(entry.selected for grid in grids for entry in grid.states)
        drawings.append(legend_drawing(grids[0], selected))
    picture = stacked(drawings, report.title, margin=20, gap=18)
    return str(picture.svg(style=themed_css(theme, field), paper=True)) + "\n"
