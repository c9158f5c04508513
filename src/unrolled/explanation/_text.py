"""A report for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import GridPart
from ._grid_text import grid_lines
from ._part_lines import (
    aligned,
    part_heading,
    prediction_lines,
    score_lines,
    selection_lines,
    table_lines,
)
from ._prediction_part import PredictionPart
from ._report import Part, Report
from ._selection_part import SelectionPart
from ._symbol import columns, shortened, shown, shown_text
from ._table_part import ScorePart, TablePart

_SHADES = " ·░▒▓█"


def render_text(report: Report, width: int = 100) -> str:
    """The report as plain text: title, then each part under its heading.

    Wide grids and heat maps are cut into bands of about `width` columns.
    """
    blocks = ["\n".join([shown_text(report.title), "═" * columns(shown_text(report.title))])]
    blocks += ["\n".join([part_heading(part), *_lines(part, width)]) for part in report.parts]
    return "\n\n".join(blocks) + "\n"


def _lines(part: Part, width: int) -> Sequence[str]:
    match part:
        case GridPart():
            return grid_lines(part, width)
        case BridgePart():
            return [shown_text(line) for line in part.lines]
        case AttentionPart():
            return _attention_lines(part, width)
        case PredictionPart():
            return prediction_lines(part)
        case ScorePart():
            return score_lines(part)
        case SelectionPart():
            return selection_lines(part, width)
        case TablePart():
            return table_lines(part)
        case _:
            assert_never(part)


def _attention_lines(part: AttentionPart, width: int) -> list[str]:
    """A row for each target symbol; the darker the block, the larger the weight."""
    target = [shortened(shown(symbol), 10) for symbol in part.target]
    source = [shortened(shown(symbol), 10) for symbol in part.source]
    cell = max(2, *(columns(symbol) for symbol in source))
    label = max((columns(symbol) for symbol in target), default=1)
    band = max(1, (width - label - 2) // (cell + 1))
    lines: list[str] = []
    for first in range(0, len(source), band):
        rows: list[tuple[str, ...]] = [("", *source[first : first + band])]
        for symbol, weights in zip(target, part.weights, strict=True):
            blocks = (_SHADES[round(weight * (len(_SHADES) - 1))] for weight in weights)
            rows.append((symbol, *(block * cell for block in list(blocks)[first : first + band])))
        lines += aligned(rows)
    return lines
