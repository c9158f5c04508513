"""Each part of a report as a fragment of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ._attention_part import AttentionPart
from ._attention_picture import attention_drawing
from ._bridge_part import BridgePart
from ._drawing import Drawing
from ._grid_part import GridPart
from ._grid_picture import grid_drawing
from ._grid_values import describe_values, value_tables
from ._html_words import READOUT
from ._markup import Markup, element, escaped, joined
from ._part_lines import part_heading, unknown_lines
from ._prediction_part import PredictionPart
from ._receptive_field import describe_field
from ._report import Part
from ._selection_html import selection_html
from ._selection_part import SelectionPart
from ._symbol import shown, shown_text
from ._table_part import ScorePart, TablePart


def part_html(part: Part, walk: bool = True) -> Markup:
    """One part as HTML; its pictures as inline SVG styled by the page.

    Args:
        part: what to show.
        walk: whether the page brings the script that walks through a picture. Without it, pictures
            bring their own background too, since the page may have any.
    """
    match part:
        case GridPart():
            return _grid(part, walk)
        case BridgePart():
            return _bridge(part)
        case AttentionPart():
            return attention_figure(part, walk)
        case PredictionPart():
            return prediction_html(part)
        case ScorePart():
            return _scores(part)
        case SelectionPart():
            return selection_html(part)
        case TablePart():
            return table_html(part.title, part.columns, part.rows)
        case _:
            assert_never(part)


def _bdi(text: str) -> Markup:
    """User text, isolated from the direction of the words around it."""
    return element("bdi", {}, escaped(text))


def _figure(caption: Markup, drawing: Drawing, walk: bool, *after: Markup) -> Markup:
    """A picture that scrolls when it is wide, and that can be walked through."""
    scroll = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": drawing.title}
    picture = drawing.svg(role="group") if walk else drawing.svg(paper=True)
    readout = element("p", {"class": "readout", "aria-live": "polite"}, escaped(READOUT))
    return element(
        "figure",
        {"class": "walk" if walk else None},
        element("figcaption", {}, caption),
        element("div", scroll, picture),
        *([readout] if walk else []),
        *after,
    )


def _grid(part: GridPart, walk: bool) -> Markup:
    finals = [
        (slot.tensor, slot.index, str(entry.address))
        for entry in part.states
        for slot in entry.slots
        if slot.tensor != "output"
    ]
    order = {"hidden_state": 0, "cell_state": 1}
    finals.sort(key=lambda final: (order[final[0]], final[1]))
    last = part.shape.num_layers - 1
    halves = " and ".join(f"h[layer={last}, {way}, step=t]" for way in part.shape.directions)
    rows = [("output", f"step t, of 0 to {part.length - 1}", halves)]
    rows += [(tensor, f"row {row}", address) for tensor, row, address in finals]
    table = table_html("", ("tensor", "place", "state"), rows)
    details = element(
        "details", {}, element("summary", {}, escaped("What each tensor holds, by address")), table
    )
    said = [
        element("p", {"class": "note"}, escaped(words))
        for words in (describe_field(part), describe_values(part, drawn=True))
        if words
    ]
    drawing = grid_drawing(part)
    return _figure(escaped(part_heading(part)), drawing, walk, *said, details, *_numbers(part))


def _numbers(part: GridPart) -> list[Markup]:
    """The values as tables, folded away."""
    if not part.values:
        return []
    tables = [
        table_html(table.title, table.columns, table.rows, figures=True)
        for table in value_tables(part)
    ]
    return [
        element("details", {}, element("summary", {}, escaped("The values as numbers")), *tables)
    ]


def _bridge(part: BridgePart) -> Markup:
    lines = [element("li", {"class": "mono"}, escaped(line)) for line in part.lines]
    return joined(
        [
            element("h3", {}, escaped(part_heading(part))),
            element("ol", {"class": "bridge"}, *lines),
        ]
    )


def attention_figure(part: AttentionPart, walk: bool = True) -> Markup:
    """The heat map, and its numbers in a table for whoever wants or needs them."""
    columns = ("", *(shown(symbol) for symbol in part.source))
    rows = [
        (shown(symbol), *(f"{weight:.2f}" for weight in weights))
        for symbol, weights in zip(part.target, part.weights, strict=True)
    ]
    details = element(
        "details",
        {},
        element("summary", {}, escaped("The weights as numbers")),
        table_html("", columns, rows, figures=True),
    )
    caption = joined([escaped("Attention of "), _bdi(shown_text(part.name))], "")
    return _figure(caption, attention_drawing(part), walk, details)


def prediction_html(part: PredictionPart) -> Markup:
    """Source and best guess in large type; the other guesses in a table."""
    best = part.guesses[0]
    said = element(
        "p",
        {"class": "said"},
        _bdi(shown_text(part.source)),
        element("span", {"class": "arrow-word", "aria-label": "becomes"}, escaped("→")),
        _bdi(shown_text(best.text)),
    )
    rows = [
        (str(rank), shown_text(guess.text), f"{guess.score:.4f}")
        for rank, guess in enumerate(part.guesses, start=1)
    ]
    notes = [element("p", {"class": "note"}, escaped(line)) for line in unknown_lines(part)]
    return joined([said, *notes, table_html("", ("rank", "predicted", "score"), rows)])


def _scores(part: ScorePart) -> Markup:
    tiles = [
        element(
            "div",
            {},
            element("dt", {}, escaped(shown_text(name))),
            element("dd", {}, escaped(shown_text(figure))),
        )
        for name, figure in part.scores
    ]
    return element("dl", {"class": "tiles"}, *tiles)


def table_html(
    title: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    figures: bool = False,
) -> Markup:
    """A table that scrolls when it is wide.

    With `figures`, all columns but the first hold numbers.
    """
    tone = [None] + ["figure" if figures else None] * (len(columns) - 1)
    head = [
        element("th", {"scope": "col", "class": kind}, _bdi(column and shown_text(column)))
        for column, kind in zip(columns, tone, strict=True)
    ]
    body = []
    for row in rows:
        cells = [
            element(
                "th" if figures and place == 0 else "td",
                {"class": kind, "scope": "row" if figures and place == 0 else None},
                _bdi(field and shown_text(field)),
            )
            for place, (field, kind) in enumerate(zip(row, tone, strict=True))
        ]
        body.append(element("tr", {}, *cells))
    caption = [element("caption", {}, escaped(shown_text(title)))] if title else []
    table = element(
        "table",
        {},
        *caption,
        element("thead", {}, element("tr", {}, *head)),
        element("tbody", {}, joined(body)),
    )
    return element("div", {"class": "table"}, table)
