"""Scoring a model on held-out texts, decoded freely."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ._transducer import Transducer

_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class Mistake:
    """A source whose prediction is none of its references."""

    source: str
    predicted: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """How good free-running predictions are.

    Attributes:
        sources: texts that were decoded.
        wrong: those whose prediction is none of their references.
        edits: insertions, deletions and substitutions of symbols to the nearest reference, over
            all texts.
        reference_symbols: symbols of those nearest references.
        mistakes: the first of the wrong ones.
    """

    sources: int
    wrong: int
    edits: int
    reference_symbols: int
    mistakes: tuple[Mistake, ...] = ()

    @property
    def word_error_rate(self) -> float:
        """Wrong texts, in percent of texts (WER)."""
        return 100 * self.wrong / self.sources

    @property
    def symbol_error_rate(self) -> float:
        """Edits, in percent of reference symbols (PER where symbols are phones).

        Where the references hold no symbol, 0 without edits and 100 with any.
        """
        if not self.reference_symbols:
            return 100.0 * bool(self.edits)
        return 100 * self.edits / self.reference_symbols

    def to_json(self) -> dict[str, object]:
        """All of it as plain values."""
        return {
            "word_error_rate": self.word_error_rate,
            "symbol_error_rate": self.symbol_error_rate,
            **asdict(self),
        }

    def __str__(self) -> str:
        return (
            f"WER {self.word_error_rate:.2f} % ({self.wrong} of {self.sources} wrong)   "
            f"PER {self.symbol_error_rate:.2f} % "
            f"({self.edits} edits in {self.reference_symbols} symbols)"
        )


def evaluate(
    transducer: Transducer,
    references: Mapping[str, Sequence[str]],
    *,
    beam_size: int = 1,
    length_penalty: float = 0.0,
    max_mistakes: int = 20,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Decode the sources freely and compare with their references; no target is ever fed in.

    A prediction is right when it equals any reference, as the model's symbols write it: a model
    trained on lower case is not wrong for a capital. Its edits are counted against the reference
    with the fewest, the shorter one where two tie.

    Args:
        transducer: the model.
        references: for each source, what is right; see `read_references`.
        beam_size: hypotheses kept at each step; 1 is greedy.
        length_penalty: alpha of `beam_search`.
        max_mistakes: wrong predictions to keep as examples.
        progress: called with the number of texts just done.

    Raises:
        TypeError: the references of a source are one string.
        ValueError: there are no references, or a source has none.
        DataError: a source is empty.
    """
    if not references:
        raise ValueError("there are no references; give at least one source with its target.")
    for source, targets in references.items():
        if not targets:
            raise ValueError(f"the source {source!r} has no reference; give one or leave it out.")
        if isinstance(targets, str):
            raise TypeError(
                f"the references of {source!r} are the string {targets!r}; give a list of strings."
            )
    sources = list(references)
    written = transducer.target_symbols.normalised
    wrong = edits = symbols = 0
    mistakes: list[Mistake] = []
    for first in range(0, len(sources), _AT_ONCE):
        part = sources[first : first + _AT_ONCE]
        predicted = transducer.predict(part, beam_size=beam_size, length_penalty=length_penalty)
        for source, (best, *_) in zip(part, predicted, strict=True):
            distance, length = _nearest(transducer, best.text, references[source])
            edits, symbols = edits + distance, symbols + length
            if best.text not in map(written, references[source]):
                wrong += 1
                mistakes.append(Mistake(source, best.text, tuple(references[source])))
        if progress is not None:
            progress(len(part))
    return Scores(len(sources), wrong, edits, symbols, tuple(mistakes[:max_mistakes]))


def _nearest(transducer: Transducer, text: str, references: Sequence[str]) -> tuple[int, int]:
    from rapidfuzz.distance import Levenshtein  # predicting alone does not need it

    pieces = transducer.target_symbols.pieces
    predicted = pieces(text)
    candidates = map(pieces, references)
    return min((Levenshtein.distance(predicted, right), len(right)) for right in candidates)
