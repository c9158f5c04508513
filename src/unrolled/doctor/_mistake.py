"""One of the thirty mistakes: what goes wrong, why it goes unseen, the wrong code and the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..explanation import Report as Picture
from ..explanation import explain_selection
from ..grid import Cell, StackShape
from ._finding import Severity


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression reads from the tensors of a recurrent stack that need not exist."""

    cell: Cell
    select: str
    """What the wrong code takes."""
    instead: str = ""
    """What the right code takes; empty where it is no selection from these tensors."""
    layers: int = 1
    bidirectional: bool = False
    steps: int = 5
    lengths: tuple[int, ...] | None = None
    batch_first: bool = True
    hidden_size: int = 16

    def wrong(self) -> Picture:
        """The grid with the states that the wrong code takes."""
        return self._picture(self.select)

    def right(self) -> Picture | None:
        """The grid with the states that the right code takes."""
        return self._picture(self.instead) if self.instead else None

    def arguments(self) -> tuple[str, ...]:
        """The options of `unrolled explain` that draw what the wrong code takes."""
        options = ["--cell", self.cell]
        options += ["--layers", str(self.layers)] if self.layers > 1 else []
        options += ["--bidirectional"] if self.bidirectional else []
        options += ["--steps", str(self.steps)]
        options += ["--lengths", ",".join(map(str, self.lengths))] if self.lengths else []
        options += ["--hidden_size", str(self.hidden_size)]
        options += ["--batch_first" if self.batch_first else "--time_first"]
        return (*options, "--select", self.select)

    def _picture(self, select: str) -> Picture:
        return explain_selection(
            StackShape(self.cell, 1, self.hidden_size, self.layers, self.bidirectional),
            self.steps,
            select,
            lengths=self.lengths,
            batch_first=self.batch_first,
        )


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake that was found in real code; it ran, and most of it trained."""

    code: str
    """`"M01"` to `"M30"`."""
    title: str
    severity: Severity
    """The one that a finding usually has."""
    wrong: str
    """What goes wrong."""
    trains: str
    """Why it goes unseen."""
    seen: str
    """How it is seen from outside."""
    probes: tuple[str, ...]
    """The short names of the probes that see it."""
    wrong_code: str
    """Complete and runs."""
    right_code: str
    """Complete, runs, and is right."""
    reading: Reading | None = None
    """What the wrong code selects, where a selection from the grid is the point."""

    @property
    def probe_names(self) -> str:
        """The probes in one line."""
        return ", ".join(self.probes)

    def text(self, width: int = 90) -> str:
        """Its page for a terminal."""
        from ._mistake_text import mistake_text

        return mistake_text(self, width)

    def __str__(self) -> str:
        return self.text()


def mended(code: str, changes: Mapping[str, str]) -> str:
    """The code with some of its text replaced.

    Raises:
        ValueError: a text to be replaced does not stand in it exactly once.
    """
    for old, new in changes.items():
        if code.count(old) != 1:
            raise ValueError(f"{old!r} stands {code.count(old)} times in the code, not once.")
        code = code.replace(old, new)
    return code
