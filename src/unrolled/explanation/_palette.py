"""The colours, once for light and once for dark, and the style sheet of the pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template
from typing import Literal

Theme = Literal["light", "dark", "auto"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Named colours. A `*_fill` lies under ink; the plain name marks an edge and writes a label."""

    paper: str
    raised: str
    ink: str
    muted: str
    arrow: str
    slot: str
    node: str
    node_edge: str
    shade: str
    output: str
    output_fill: str
    hidden: str
    hidden_fill: str
    cell: str
    cell_fill: str
    heat: str
    heat_low: str
    selected: str
    selected_fill: str


LIGHT = Palette(
    paper="#ffffff",
    raised="#f6f8fa",
    ink="#1b2430",
    muted="#57657a",
    arrow="#75849a",
    slot="#c9d3df",
    node="#f6f8fb",
    node_edge="#8a98ab",
    shade="#8fa1b8",
    output="#1d4ed8",
    output_fill="#dbe7ff",
    hidden="#b4400b",
    hidden_fill="#ffe6cf",
    cell="#6d28d9",
    cell_fill="#ebe4ff",
    heat="#1d4ed8",
    heat_low="#eef2f8",
    selected="#047857",
    selected_fill="#c5f2dc",
)
DARK = Palette(
    paper="#0d1117",
    raised="#161b22",
    ink="#e6edf3",
    muted="#9aa8b8",
    arrow="#7d8b9c",
    slot="#333c48",
    node="#161c25",
    node_edge="#667386",
    shade="#4d5f78",
    output="#86b6ff",
    output_fill="#16325f",
    hidden="#ffae75",
    hidden_fill="#552d10",
    cell="#c8adff",
    cell_fill="#3a2868",
    heat="#6ea8ff",
    heat_low="#171e29",
    selected="#4ade9f",
    selected_fill="#0c4634",
)

_PICTURE = Template("""\
.unrolled { font-family: ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, \
sans-serif; font-size: 12px; }
.unrolled text, .unrolled tspan { fill: $ink; }
.unrolled .paper { fill: $paper; }
.unrolled .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", \
monospace; white-space: pre; }
.unrolled .heading { font-weight: 650; font-size: 14px; }
.unrolled .strong { font-weight: 600; }
.unrolled .muted { fill: $muted; }
.unrolled .middle { text-anchor: middle; }
.unrolled .end { text-anchor: end; }
.unrolled .symbol { font-size: 14px; font-weight: 600; }
.unrolled .small { font-size: 11px; }
.unrolled .slot { fill: none; stroke: $slot; stroke-width: 1.25; }
.unrolled .arrow { fill: none; stroke: $arrow; stroke-width: 1.25; }
.unrolled .head { fill: $arrow; }
.unrolled .box { fill: $node; }
.unrolled .frame { fill: none; stroke: $node_edge; pointer-events: all; }
.unrolled .shade { fill: $shade; }
.unrolled .pad .frame { stroke: $slot; stroke-dasharray: 3 3; }
.unrolled .pad text { fill: $muted; font-weight: 400; }
.unrolled .fill-output { fill: $output_fill; }
.unrolled .fill-hidden_state { fill: $hidden_fill; }
.unrolled .fill-cell_state { fill: $cell_fill; }
.unrolled .fill-selected { fill: $selected_fill; }
.unrolled .ring { fill: none; stroke: $selected; stroke-width: 3; pointer-events: none; }
.unrolled .edge { fill: none; stroke-width: 4; stroke-linecap: round; }
.unrolled .rail { fill: none; stroke-width: 1.75; }
.unrolled .output { stroke: $output; }
.unrolled .hidden_state { stroke: $hidden; }
.unrolled .cell_state { stroke: $cell; }
.unrolled .dot-output { fill: $output; }
.unrolled .dot-hidden_state { fill: $hidden; }
.unrolled .dot-cell_state { fill: $cell; }
.unrolled .name-output { fill: $output; font-weight: 650; }
.unrolled .name-hidden_state { fill: $hidden; font-weight: 650; }
.unrolled .name-cell_state { fill: $cell; font-weight: 650; }
.unrolled .name-selected { fill: $selected; font-weight: 650; }
.unrolled .state:hover .frame, .unrolled .state:focus .frame { stroke: $ink; stroke-width: 2.25; }
.unrolled .state:focus { outline: none; }
.unrolled text.lit { fill: $output; text-decoration: underline; }
.unrolled .heat { fill: $heat; }
.unrolled .heat-low { fill: $heat_low; }
.unrolled .weight:hover .heat, .unrolled .weight:focus .heat { stroke: $ink; stroke-width: 2; }
.unrolled .weight:focus { outline: none; }
""")

_FIELD = Template("""\
.unrolled .field { fill: none; stroke: $ink; stroke-width: 1.5; stroke-dasharray: 4 2.5; \
pointer-events: none; }
.unrolled .field.chosen { stroke-width: 2.5; stroke-dasharray: none; }
""")


def picture_css(palette: Palette | None = None, field: bool = False) -> str:
    """The rules of every picture, in a palette's colours, or in the page's (`var(--ink)`, …).

    With `field` also those of a receptive field, which most pictures have not.
    """
    names = asdict(LIGHT)
    colours = (
        asdict(palette)
        if palette is not None
        else {name: f"var(--{name.replace('_', '-')})" for name in names}
    )
    return _PICTURE.substitute(colours) + (_FIELD.substitute(colours) if field else "")


def themed_css(theme: Theme, field: bool = False) -> str:
    """The rules of every picture for one theme; `"auto"` follows the reader's preference.

    With `field` also those of a receptive field.

    Concrete colours, no variables: programs that draw SVG without being a browser know no others.
    """
    if theme == "light":
        return picture_css(LIGHT, field)
    if theme == "dark":
        return picture_css(DARK, field)
    if theme != "auto":
        raise ValueError(f"theme is {theme!r}; expected 'light', 'dark' or 'auto'.")
    dark = picture_css(DARK, field)
    return (
        f"{picture_css(LIGHT, field)}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )


def page_colours() -> str:
    """The palettes as CSS variables: light, and dark on a screen whose reader asks for it."""
    light, dark = (
        "".join(f"--{name.replace('_', '-')}:{colour};" for name, colour in asdict(palette).items())
        for palette in (LIGHT, DARK)
    )
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
    )
