"""Predictions as lines of text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..seq2seq import Prediction

SHADES = " ░▒▓█"


def as_lines(
    source: str, predictions: Sequence[Prediction], *, ranks: bool, scores: bool
) -> Iterator[str]:
    """A line for each prediction, with its attention below it where it has one."""
    for rank, prediction in enumerate(predictions, start=1):
        fields = [source, prediction.text]
        if ranks:
            fields.append(str(rank))
        if scores:
            fields.append(f"{prediction.score:.4f}")
        yield "\t".join(fields)
        if prediction.attention is not None:
            yield from _heat(
                prediction.attention.tolist(), prediction.source_pieces, prediction.target_pieces
            )


def as_json(source: str, line: int | None, predictions: Iterable[Prediction]) -> str:
    """One JSON object: the source, its line, and all predictions with all that is known of each."""
    answers = []
    for prediction in predictions:
        answer: dict[str, object] = {"text": prediction.text, "score": prediction.score}
        if prediction.attention is not None:
            answer["source_pieces"] = list(prediction.source_pieces)
            answer["target_pieces"] = list(prediction.target_pieces)
            answer["attention"] = [
                [round(weight, 6) for weight in row] for row in prediction.attention.tolist()
            ]
        answers.append(answer)
    found: dict[str, object] = {"source": source, "predictions": answers}
    if line is not None:
        found["line"] = line
    return json.dumps(found, ensure_ascii=False)


def _heat(
    weights: Sequence[Sequence[float]], columns: Sequence[str], rows: Sequence[str]
) -> Iterator[str]:
    widths = [max(2, len(piece)) for piece in columns]
    margin = max((len(piece) for piece in rows), default=0)
    head = " ".join(piece.center(width) for piece, width in zip(columns, widths, strict=True))
    yield f"  {'':<{margin}} {head}".rstrip()
    for piece, row in zip(rows, weights, strict=True):
        cells = " ".join(_shade(w) * width for w, width in zip(row, widths, strict=True))
        yield f"  {piece:<{margin}} {cells}".rstrip()


def _shade(weight: float) -> str:
    return SHADES[min(len(SHADES) - 1, round(weight * (len(SHADES) - 1)))]
