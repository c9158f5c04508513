"""What the doctor found, as one HTML page that needs nothing but itself."""

from __future__ import annotations

from importlib.resources import files

from ..explanation import GridPart
from ..explanation._html_parts import part_html
from ..explanation._html_words import how_to_read
from ..explanation._markup import Markup, element, escaped, joined
from ..explanation._page import html_page, titled_section
from ..explanation._palette import themed_css
from ..explanation._symbol import shown_text
from ._catalogue import MISTAKES
from ._finding import Finding
from ._report import Report
from ._report_text import code_lines
from ._report_words import by_severity, left_out, looked_for, place, probe, reasons, title, verdict

_NOTEBOOK_CSS = """\
.unrolled-report pre { overflow-x: auto; }
.unrolled-report .finding { border-left: 4px solid #b45309; padding-left: .75rem; }
"""


def render_html(report: Report) -> str:
    """The page: findings with the picture of what is read, checks not run, assumptions."""
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    pictured: set[str] = set()
    sections = []
    for finding in by_severity(report):
        sections.append(_finding_section(finding, finding.code not in pictured))
        pictured.add(finding.code)
    return html_page(verdict(report), looked_for(report), [*sections, *_rest(report)], style)


def render_fragment(report: Report) -> str:
    """The report for a notebook cell: no picture and no script."""
    pieces = [
        element("style", {}, Markup(themed_css("auto") + _NOTEBOOK_CSS)),
        element("p", {}, element("b", {}, _text(verdict(report)))),
    ]
    for finding in by_severity(report):
        pieces.append(
            element("div", {"class": "finding"}, _heading(finding, "p"), *_told(finding, "p"))
        )
    pieces += _rest(report, "p")
    pieces.append(element("p", {}, _text(looked_for(report))))
    return str(element("div", {"class": "unrolled-report"}, joined(pieces)))


def _text(text: str) -> Markup:
    return escaped(shown_text(text))


def _finding_section(finding: Finding, pictured: bool) -> Markup:
    label = f"{finding.code}: {title(finding.code)}, in {place(finding)}"
    return element(
        "section",
        {"aria-label": shown_text(label), "class": f"finding of-{finding.severity}"},
        _heading(finding, "h2"),
        *_told(finding, "h3"),
        *(_reading(finding.code) if pictured else []),
    )


def _heading(finding: Finding, tag: str) -> Markup:
    return element(
        tag,
        {},
        element("span", {"class": "severity"}, escaped(finding.severity)),
        escaped(f" {finding.code} in "),
        element("code" if finding.module else "span", {}, _text(place(finding))),
        escaped(f": {title(finding.code)}"),
    )


def _told(finding: Finding, tag: str) -> list[Markup]:
    numbers = [
        element("div", {}, element("dt", {}, _text(name)), element("dd", {}, _text(_short(value))))
        for name, value in finding.evidence.numbers.items()
    ]
    code = "\n".join(code_lines(finding.repair))
    return [
        element("p", {}, _text(finding.explanation)),
        element(tag, {}, _text(f"Seen by {probe(finding)}")),
        element("p", {}, _text(finding.evidence.text)),
        *([element("dl", {"class": "numbers"}, *numbers)] if numbers else []),
        element(tag, {}, escaped("Repair")),
        element("pre", {"tabindex": "0"}, element("code", {}, escaped(code))),
    ]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _reading(code: str) -> list[Markup]:
    """What code with this mistake typically reads, from the catalogue."""
    reading = MISTAKES[code].reading if code in MISTAKES else None
    if reading is None:
        return []
    picture = reading.wrong()
    grids = picture.of(GridPart)
    summary = f"What {picture.selection.expression} takes, on an example"
    return [
        element(
            "details",
            {"class": "run", "open": "open"},
            element("summary", {}, escaped(summary)),
            part_html(picture.selection),
            how_to_read(grids[0], True),
            *(part_html(grid) for grid in grids),
        )
    ]


def _rest(report: Report, tag: str = "") -> list[Markup]:
    """Checks that could not be run, and what was assumed."""
    pieces = []
    if report.not_run:
        items = [
            element("li", {}, element("b", {}, escaped(f"{codes} ")), _text(why))
            for why, codes in reasons(report).items()
        ]
        pieces.append((left_out(report), items))
    if report.assumptions:
        pieces.append(("Assumed", [element("li", {}, _text(one)) for one in report.assumptions]))
    listed = [(name, element("ul", {"class": "holds"}, *items)) for name, items in pieces]
    if tag:
        return [part for name, items in listed for part in (element(tag, {}, escaped(name)), items)]
    return [titled_section(name, items) for name, items in listed]
