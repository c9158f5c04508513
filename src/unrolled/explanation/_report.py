"""The report: what there is to explain, in parts, and nothing of how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import GridPart
from ._palette import Theme
from ._prediction_part import PredictionPart
from ._selection_part import SelectionPart
from ._table_part import ScorePart, TablePart

Part = (
    GridPart | BridgePart | AttentionPart | PredictionPart | ScorePart | SelectionPart | TablePart
)
P = TypeVar(
    "P",
    GridPart,
    BridgePart,
    AttentionPart,
    PredictionPart,
    ScorePart,
    SelectionPart,
    TablePart,
)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A title and parts in the order they are read. Text, SVG, HTML and JSON all come from it.

    A new kind of finding is a new part class, added to `Part`; each renderer then needs one
    function for it, and mypy names those that miss one.
    """

    title: str
    parts: tuple[Part, ...]

    def of(self, kind: type[P]) -> tuple[P, ...]:
        """The parts of one class, in order."""
        return tuple(part for part in self.parts if isinstance(part, kind))

    def grid(self, name: str) -> GridPart:
        """The grid of that name.

        Raises:
            KeyError: no grid has that name; the message lists those there are.
        """
        grids = self.of(GridPart)
        for part in grids:
            if part.name == name:
                return part
        names = ", ".join(repr(part.name) for part in grids) or "none"
        raise KeyError(f"no grid is called {name!r}; this report has {names}")

    @property
    def selection(self) -> SelectionPart:
        """What the tensor that the report is about holds.

        Raises:
            LookupError: the report is about no tensor.
        """
        found = self.of(SelectionPart)
        if not found:
            raise LookupError(f"the report {self.title!r} is about no selected tensor")
        return found[0]

    def text(self, width: int = 100) -> str:
        """The report for a terminal, lines of about `width` columns."""
        from ._text import render_text

        return render_text(self, width=width)

    def svg(self, theme: Theme = "auto") -> str:
        """The report as one SVG picture."""
        from ._svg import render_svg

        return render_svg(self, theme=theme)

    def html(self) -> str:
        """The report as one self-contained HTML page."""
        from ._html import render_html

        return render_html([self], title=self.title)

    def to_json(self, indent: int | None = None) -> str:
        """The report as JSON; `Report.from_json` reads it back without loss."""
        from ._json import render_json

        return render_json(self, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote.

        Raises:
            ValueError: the text is no report, or one of a newer format.
        """
        from ._json import read_json

        return read_json(text)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from ._html import render_fragment

        return render_fragment(self)
