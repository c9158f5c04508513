"""Reports as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import GridPart
from ._html_parts import attention_figure, part_html
from ._html_words import ENCODER_TO_DECODER, how_to_read
from ._markup import Markup, element, escaped, joined
from ._page import html_page, titled_section
from ._palette import themed_css
from ._prediction_part import PredictionPart
from ._report import Report
from ._selection_part import SelectionPart
from ._symbol import shown_text
from ._table_part import TablePart, score_part

_NOTEBOOK_CSS = """\
.unrolled-report .scroll { overflow-x: auto; }
.unrolled-report .bridge { list-style: none; padding: 0; }
.unrolled-report .trap { border-left: 4px solid #b45309; padding-left: .75rem; }
.unrolled-report .bridge li { white-space: pre; font-family: monospace; }
"""


def _has_field(report: Report) -> bool:
    """Whether a receptive field is marked in one of its grids."""
    return any(grid.field_of for grid in report.of(GridPart))


def _parts(report: Report, walk: bool = True) -> list[Markup]:
    """The parts in order, with the words that join an encoder to its decoder."""
    pieces: list[Markup] = []
    for part in report.parts:
        if isinstance(part, BridgePart):
            pieces.append(element("p", {}, escaped(ENCODER_TO_DECODER)))
        pieces.append(part_html(part, walk))
    return pieces


def _first_run(report: Report, page: str) -> Markup:
    """The report in full, the key of the grid before its first grid.

    Its title is left out where it is that of the page.
    """
    grids = report.of(GridPart)
    selected = any(entry.selected for grid in grids for entry in grid.states)
    reading = [how_to_read(grids[0], selected)] if grids else []
    answers = (PredictionPart, SelectionPart)
    before = [part_html(part) for part in report.parts if isinstance(part, answers)]
    rest = Report(
        report.title,
        tuple(part for part in report.parts if not isinstance(part, answers)),
    )
    content = (*before, *reading, *_parts(rest))
    if report.title == page:
        return element("section", {"aria-label": shown_text(page)}, *content)
    return titled_section(report.title, *content)


def _other_runs(reports: Sequence[Report]) -> list[Markup]:
    """The attention of the other runs side by side, then each of them in full, folded away."""
    heat_maps = [attention_figure(part) for report in reports for part in report.of(AttentionPart)]
    folded = [
        element(
            "details",
            {"class": "run"},
            element("summary", {}, escaped(shown_text(report.title))),
            *_parts(report),
        )
        for report in reports
    ]
    pieces = []
    if heat_maps:
        pieces.append(titled_section("Attention", element("div", {"class": "many"}, *heat_maps)))
    if folded:
        pieces.append(titled_section("The other runs in full", *folded))
    return pieces


def render_html(
    reports: Sequence[Report],
    *,
    title: str,
    lead: str = "",
    scores: Mapping[str, float | int | str] | None = None,
    tables: Sequence[TablePart] = (),
) -> str:
    """One self-contained page: scores, the first report in full, tables, and the other reports.

    Nothing is fetched when the page opens, and its content security policy forbids it. The page
    follows the reader's preference for light or dark, prints, and is well-formed XML.

    Args:
        reports: what to show; the first one opens the page, so put the best example first.
        title: heading of the page.
        lead: a sentence under the heading.
        scores: measured figures by name, printed as given (numbers with two decimals).
        tables: tables to print after the first report.
    """
    main: list[Markup] = []
    if scores:
        main.append(titled_section("Measured scores", part_html(score_part(scores))))
    if reports:
        main.append(_first_run(reports[0], title))
    main += [
        titled_section(table.title, part_html(TablePart("", table.columns, table.rows)))
        for table in tables
    ]
    main += _other_runs(reports[1:])
    return html_page(title, lead, main, field=any(map(_has_field, reports)))


def render_fragment(report: Report) -> str:
    """The report for a notebook cell: its parts and a style sheet, no script."""
    style = themed_css("auto", _has_field(report)) + _NOTEBOOK_CSS
    pieces = [element("style", {}, Markup(style)), *_parts(report, walk=False)]
    return str(element("div", {"class": "unrolled-report"}, joined(pieces)))
