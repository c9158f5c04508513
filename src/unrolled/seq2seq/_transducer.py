"""A trained string-to-string model."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import DataError
from ._architecture import Architecture
from ._batch import Batch
from ._directory import load_directory, save_directory
from ._hypothesis import Hypothesis
from ._model import Seq2Seq
from ._prediction import Prediction
from ._search import beam_search, check_search
from ._search_error import SearchError
from ._special import BEGIN, END, PAD, UNKNOWN
from ._symbols import Symbols, refuse_one_text

_SYMBOLS_AT_ONCE = 16_384


class Transducer:
    """A network with the symbols of both sides: text in, text out.

    Args:
        model: the network.
        architecture: what it was built from.
        source_symbols: those of the source.
        target_symbols: those of the target.
    """

    def __init__(
        self,
        model: Seq2Seq,
        architecture: Architecture,
        source_symbols: Symbols,
        target_symbols: Symbols,
    ) -> None:
        self.model = model
        self.architecture = architecture
        self.source_symbols = source_symbols
        self.target_symbols = target_symbols

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "Transducer":
        """Load a model directory; nothing in it is ever unpickled.

        Args:
            path: the directory.

        Raises:
            ModelError: it is missing, damaged, of a newer format or not what it says it is.
        """
        return cls(*load_directory(Path(path)))

    def save_pretrained(self, path: str | Path, scores: Mapping[str, Any] | None = None) -> None:
        """Write a model directory. A model that stands there stays whole until this one is.

        Args:
            path: the directory; made where it is missing.
            scores: measured scores by name, for the model card.

        Raises:
            ModelError: it cannot be written; what stood there before is untouched.
        """
        save_directory(
            Path(path),
            self.model,
            self.architecture,
            self.source_symbols,
            self.target_symbols,
            scores,
        )

    def predict(
        self,
        texts: Sequence[str],
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: float = 0.0,
        attention: bool = False,
    ) -> list[list[Prediction]]:
        """The best targets of each text.

        Texts are decoded in batches of like length, whatever their order; what is predicted for
        one does not depend on the others. A symbol that training never saw is read as UNKNOWN, and
        `unknown` of the prediction names it.

        Args:
            texts: sources.
            beam_size: hypotheses kept at each step; 1 is greedy.
            n_best: predictions for each text, at most `beam_size`.
            length_penalty: alpha of `beam_search`.
            attention: whether to give the attention of each prediction.

        Returns:
            For each text its predictions, best first, in the order of `texts`.

        Raises:
            DataError: a text is empty.
            ModelError: the model lets no target be found; names the text by its place.
            ValueError: a number is not possible.
            TypeError: `texts` is a string, or one of them is none.
        """
        refuse_one_text(texts)
        texts = list(texts)
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {number} is {text!r}, which is no string; give strings.")
        check_search(beam_size, n_best, length_penalty)
        encoded = self.source_symbols.encode_batch(texts)
        for number, (text, ids) in enumerate(zip(texts, encoded, strict=True)):
            if not ids:
                raise DataError(f"text {number} is {text!r}, which holds no symbols; leave it out.")
        found: list[list[Prediction]] = [[] for _ in texts]
        for group in _groups(encoded, _SYMBOLS_AT_ONCE // beam_size):
            try:
                hypotheses = self._search(
                    [encoded[index] for index in group],
                    beam_size=beam_size,
                    n_best=n_best,
                    length_penalty=length_penalty,
                    attention=attention,
                )
            except SearchError as error:
                raise SearchError(group[error.source], error.why) from None
            for index, best in zip(group, hypotheses, strict=True):
                text = texts[index]
                unseen = self.source_symbols.unknown(text) if UNKNOWN in encoded[index] else []
                found[index] = [self._prediction(text, tuple(unseen), one) for one in best]
        return found

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The log-probability of each target given its source, in nats.

        Args:
            pairs: sources with their targets.

        Raises:
            DataError: a source is empty.
            TypeError: a pair is not two strings.
        """
        pairs = list(pairs)
        for number, pair in enumerate(pairs):
            is_pair = isinstance(pair, Sized) and not isinstance(pair, str) and len(pair) == 2
            if not is_pair or not all(isinstance(text, str) for text in pair):
                raise TypeError(
                    f"pair {number} is {pair!r}; give a source and a target, two strings, for each."
                )
        sources = self.source_symbols.encode_batch([source for source, _ in pairs])
        targets = self.target_symbols.encode_batch([target for _, target in pairs])
        for number, ids in enumerate(sources):
            if not ids:
                raise DataError(f"the source of pair {number} is empty; leave the pair out.")
        scores = [0.0] * len(pairs)
        longer = [max(pair, key=len) for pair in zip(sources, targets, strict=True)]
        for group in _groups(longer, _SYMBOLS_AT_ONCE):
            values = self._score([sources[i] for i in group], [targets[i] for i in group])
            for index, value in zip(group, values.tolist(), strict=True):
                scores[index] = value
        return scores

    def _search(self, sources: list[list[int]], **settings: Any) -> list[list[Hypothesis]]:
        source, lengths = Batch.of_sources(sources)
        device = next(self.model.parameters()).device
        with _evaluating(self.model):
            limits = 3 * lengths + 20
            return beam_search(
                self.model, source.to(device), lengths.to(device), limits, **settings
            )

    def _score(self, sources: list[list[int]], targets: list[list[int]]) -> Float[Tensor, " batch"]:
        device = next(self.model.parameters()).device
        source, source_lengths = Batch.of_sources(sources)
        target_in, target_lengths = Batch.of_sources([[BEGIN, *ids] for ids in targets])
        target_out = torch.full_like(target_in, PAD)
        target_out[:, :-1] = target_in[:, 1:]
        target_out[torch.arange(len(targets)), target_lengths - 1] = END
        with _evaluating(self.model):
            return self.model.score(
                source.to(device),
                source_lengths.to(device),
                target_in.to(device),
                target_out.to(device),
                target_lengths.to(device),
            )

    def _prediction(
        self, text: str, unknown: tuple[str, ...], hypothesis: Hypothesis
    ) -> Prediction:
        attention = hypothesis.attention
        return Prediction(
            text=self.target_symbols.decode(hypothesis.symbols),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            source_pieces=tuple(self.source_symbols.pieces(text)),
            target_pieces=tuple(map(self.target_symbols.id_to_piece, hypothesis.symbols)),
            unknown=unknown,
            attention=None if attention is None else attention[: len(hypothesis.symbols)],
        )


def from_pretrained(path: str | Path) -> Transducer:
    """Load a trained model: `Transducer.from_pretrained`.

    Args:
        path: the model directory.

    Raises:
        ModelError: it is missing, damaged, of a newer format or not what it says it is.
    """
    return Transducer.from_pretrained(path)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every part is in the mode that it was in."""
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _groups(texts: Sequence[list[int]], budget: int) -> Iterator[list[int]]:
    """Indices of texts of like length, a budget of padded symbols at a time."""
    group: list[int] = []
    for index in sorted(range(len(texts)), key=lambda index: -len(texts[index])):
        if group and (len(group) + 1) * len(texts[group[0]]) > budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
