"""The words of a part: its heading, and its facts as lines of fixed-width text."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import assert_never

from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import GridPart
from ._prediction_part import PredictionPart
from ._report import Part
from ._selection_part import SelectionPart
from ._selection_traps import selection_traps
from ._selection_words import first_sentences
from ._symbol import columns, isolated, shown, shown_text
from ._table_part import ScorePart, TablePart


def part_heading(part: Part) -> str:
    """What a part is about, in a few words."""
    match part:
        case GridPart():
            cell = f"{part.cell}, " if part.cell else ""
            return f"{shown_text(part.name).capitalize()}: {cell}{_counted(part)}"
        case BridgePart():
            return "Bridge: what starts the decoder"
        case AttentionPart():
            return f"Attention of {shown_text(part.name)}"
        case PredictionPart():
            return f"Prediction for {shown_text(part.source)}"
        case ScorePart():
            return "Measured scores"
        case SelectionPart():
            sizes = " × ".join(map(str, part.sizes)) or "one number"
            return f"{shown_text(part.expression)} of {shown_text(part.origin)}, shape {sizes}"
        case TablePart():
            return shown_text(part.title)
        case _:
            assert_never(part)


def _counted(part: GridPart) -> str:
    shape = part.shape
    ways = ", bidirectional" if shape.bidirectional else ""
    layers = f"{shape.num_layers} layer{'s' if shape.num_layers > 1 else ''}"
    padded = part.steps - part.length
    steps = f"{part.length} step{'s' if part.length > 1 else ''}"
    return f"{layers}{ways}, {steps}" + (f" and {padded} padded" if padded else "")


def aligned(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Rows of fields as lines whose columns line up, two spaces between them."""
    widths = (
        [max(columns(row[place]) for row in rows) for place in range(len(rows[0]))] if rows else []
    )
    lines = []
    for row in rows:
        padded = (
            field + " " * (width - columns(field)) for field, width in zip(row, widths, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return tuple(lines)


def prediction_lines(part: PredictionPart) -> tuple[str, ...]:
    """Rank, score and text of each guess, and what was new in the source."""
    guesses = aligned(
        [
            (f"{rank}.", f"{guess.score:.4f}", shown_text(guess.text))
            for rank, guess in enumerate(part.guesses, start=1)
        ]
    )
    return (*guesses, *unknown_lines(part))


def unknown_lines(part: PredictionPart) -> tuple[str, ...]:
    """A line that names the symbols the model had never seen, if there are any."""
    if not part.unknown:
        return ()
    symbols = ", ".join(isolated(shown(symbol)) for symbol in part.unknown)
    return (f"not seen in training: {symbols}",)


def score_lines(part: ScorePart) -> tuple[str, ...]:
    """Name and figure of each score."""
    return aligned([tuple(map(shown_text, score)) for score in part.scores])


def table_lines(part: TablePart) -> tuple[str, ...]:
    """The column names, a rule, and the rows."""
    rows = [
        tuple(field and shown_text(field) for field in row) for row in (part.columns, *part.rows)
    ]
    names, *lines = aligned(rows)
    rule = "─" * max(columns(line) for line in [names, *lines])
    return (names, rule, *lines)


def selection_lines(part: SelectionPart, width: int) -> tuple[str, ...]:
    """The notes, a sentence for each thing that is held, the traps; in lines of `width` columns."""
    lines = [line for note in part.notes for line in wrap(note, width)]
    sentences, rest = first_sentences(part)
    for sentence in sentences:
        lines += wrap(f"{sentence.place}:", width)
        lines += wrap(sentence.states, width, initial_indent="  ", subsequent_indent="    ")
        if sentence.history:
            indent = "    "
            lines += wrap(sentence.history, width, initial_indent=indent, subsequent_indent=indent)
    lines += [rest] if rest else []
    for trap in selection_traps(part):
        lines += ["", *wrap(f"Warning: {trap}", width, subsequent_indent="  ")]
    return tuple(lines)
