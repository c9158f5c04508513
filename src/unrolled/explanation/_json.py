"""A report as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, assert_never

from ..grid import StackShape, StateAddress
from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import GridPart, Slot, StateEntry
from ._grid_values import describe_values
from ._prediction_part import Guess, PredictionPart
from ._receptive_field import describe_field
from ._report import Part, Report
from ._selection_part import Piece, SelectionPart, Source
from ._selection_traps import selection_traps
from ._selection_words import selection_sentences
from ._table_part import ScorePart, TablePart

FORMAT = "unrolled.report"
VERSION = 1


def render_json(report: Report, indent: int | None = None) -> str:
    """The report as JSON text. `format` and `version` say what it is."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "title": report.title,
        "parts": [_written(part) for part in report.parts],
    }
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)


def _written(part: Part) -> dict[str, Any]:
    match part:
        case GridPart():
            more: dict[str, Any] = {}
            if part.chosen:
                more["chosen"] = str(part.chosen)
            if part.chosen_elsewhere:
                more["chosen_elsewhere"] = part.chosen_elsewhere
            if part.field_of:
                more["says"] = describe_field(part)
            if part.feeds:
                more["feeds"] = True
            if part.values:
                more |= {"values": part.values, "values_say": describe_values(part)}
            return {
                "part": "grid",
                "name": part.name,
                "shape": asdict(part.shape),
                "steps": part.steps,
                "length": part.length,
                "symbols": part.symbols,
                "predicted": part.predicted,
                "initial": part.initial,
                "states": [_written_state(part, entry) for entry in part.states],
            } | more
        case BridgePart():
            return {"part": "bridge", "lines": part.lines}
        case AttentionPart():
            return {"part": "attention"} | asdict(part)
        case PredictionPart():
            return {"part": "prediction"} | asdict(part)
        case ScorePart():
            return {"part": "scores", "scores": part.scores}
        case SelectionPart():
            return _written_selection(part)
        case TablePart():
            return {"part": "table"} | asdict(part)
        case _:
            assert_never(part)


def _written_state(part: GridPart, entry: StateEntry) -> dict[str, Any]:
    written: dict[str, Any] = {
        "address": str(entry.address),
        "has_read": part.has_read(entry.address),
        "slots": [asdict(slot) for slot in entry.slots],
    }
    if entry.norm is not None:
        written["norm"] = entry.norm
    if entry.selected:
        written["selected"] = True
    if entry.gate is not None:
        written["gate"] = entry.gate
    if entry.address in part.field:
        written["in_field"] = True
    return written


def _written_selection(part: SelectionPart) -> dict[str, Any]:
    """The pieces as they are, and what is said of them for who reads no further."""
    return {
        "part": "selection",
        "expression": part.expression,
        "origin": part.origin,
        "framework": part.framework,
        "shape": asdict(part.shape),
        "steps": part.steps,
        "lengths": part.lengths,
        "sizes": part.sizes,
        "batch_first": part.batch_first,
        "padding": part.padding,
        "notes": part.notes,
        "says": [str(sentence) for sentence in selection_sentences(part)],
        "warnings": selection_traps(part),
        "pieces": [
            {
                "start": piece.start,
                "count": piece.count,
                "by": piece.by,
                "sources": [
                    {
                        "sample": source.sample,
                        "address": None if source.address is None else str(source.address),
                        "unit": source.unit,
                    }
                    for source in piece.sources
                ],
            }
            for piece in part.pieces
        ],
    }


def read_json(text: str) -> Report:
    """The report in JSON text that `render_json` wrote.

    Raises:
        ValueError: the text is no report, or its version is newer than this program knows.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"a report is JSON; this is not: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f'a report has "format": "{FORMAT}"; this JSON has not.')
    if document.get("version") != VERSION:
        raise ValueError(
            f"this report has version {document.get('version')}; this program reads version "
            f"{VERSION}. Install the version of unrolled that wrote it."
        )
    return Report(document["title"], tuple(_read(part) for part in document["parts"]))


def _read(written: dict[str, Any]) -> Part:
    match written["part"]:
        case "grid":
            elsewhere = written.get("chosen_elsewhere", "")
            reached = (state for state in written["states"] if elsewhere and state.get("in_field"))
            return GridPart(
                name=written["name"],
                shape=StackShape(**written["shape"]),
                steps=written["steps"],
                length=written["length"],
                states=tuple(_read_state(state) for state in written["states"]),
                symbols=tuple(written["symbols"]),
                predicted=tuple(written["predicted"]),
                initial=written["initial"],
                chosen=StateAddress.parse(written["chosen"]) if "chosen" in written else None,
                feeds=written.get("feeds", False),
                chosen_elsewhere=elsewhere,
                reached=frozenset(StateAddress.parse(state["address"]) for state in reached),
                values=written.get("values", ""),
            )
        case "bridge":
            return BridgePart(tuple(written["lines"]))
        case "attention":
            return AttentionPart(
                name=written["name"],
                source=tuple(written["source"]),
                target=tuple(written["target"]),
                weights=tuple(map(tuple, written["weights"])),
            )
        case "prediction":
            guesses = (Guess(guess["text"], guess["score"]) for guess in written["guesses"])
            return PredictionPart(written["source"], tuple(guesses), tuple(written["unknown"]))
        case "scores":
            return ScorePart(tuple((name, figure) for name, figure in written["scores"]))
        case "selection":
            return _read_selection(written)
        case "table":
            return TablePart(
                written["title"], tuple(written["columns"]), tuple(map(tuple, written["rows"]))
            )
        case unknown:
            raise ValueError(
                f"this report has a part of a kind {unknown!r}, unknown to this program."
            )


def _read_state(written: dict[str, Any]) -> StateEntry:
    return StateEntry(
        StateAddress.parse(written["address"]),
        tuple(
            Slot(slot["tensor"], slot["index"], (slot["columns"][0], slot["columns"][1]))
            for slot in written["slots"]
        ),
        written.get("norm"),
        written.get("selected", False),
        written.get("gate"),
    )


def _read_selection(written: dict[str, Any]) -> SelectionPart:
    return SelectionPart(
        expression=written["expression"],
        origin=written["origin"],
        framework=written["framework"],
        shape=StackShape(**written["shape"]),
        steps=written["steps"],
        lengths=tuple(written["lengths"]),
        sizes=tuple(written["sizes"]),
        pieces=tuple(
            Piece(
                piece["start"],
                piece["count"],
                tuple(
                    Source(
                        source["sample"],
                        None
                        if source["address"] is None
                        else StateAddress.parse(source["address"]),
                        source["unit"],
                    )
                    for source in piece["sources"]
                ),
                tuple(piece["by"]),
            )
            for piece in written["pieces"]
        ),
        batch_first=written["batch_first"],
        padding=written["padding"],
        notes=tuple(written["notes"]),
    )
