"""Learning the symbols of one side from texts."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from tokenizers import Tokenizer, models, trainers

from ..errors import DataError
from ._special import SPECIAL_PIECES, UNKNOWN
from ._symbols import _SPACE, SYMBOL_KINDS, SymbolKind, Symbols, _shielded

_CHUNK = 10_000


def train_symbols(
    texts: Iterable[str],
    kind: SymbolKind = "characters",
    separator: str = " ",
    vocab_size: int | None = None,
    min_frequency: int = 1,
    lowercase: bool = False,
) -> Symbols:
    """The symbols of one side of a corpus, the most frequent first.

    Args:
        texts: one side of the training pairs; read once, streaming.
        kind: `"characters"`, `"separator"` (pieces between separators) or `"bpe"` (Sennrich et al.
            (2016), "Neural machine translation of rare words with subword units").
        separator: what stands between pieces, for `"separator"`.
        vocab_size: most ids, special ones included; all symbols that occur when absent, and
            needed for `"bpe"`.
        min_frequency: a symbol seen less often is UNKNOWN.
        lowercase: whether texts are lower-cased first.

    Raises:
        ValueError: an argument is not possible.
        DataError: there are no texts, or nothing in them.
    """
    if kind not in SYMBOL_KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(SYMBOL_KINDS)}.")
    if kind == "separator" and not separator:
        raise ValueError("separator is empty; use kind='characters' to cut between characters.")
    if vocab_size is not None and vocab_size <= len(SPECIAL_PIECES):
        raise ValueError(
            f"vocab_size is {vocab_size}; it must be above {len(SPECIAL_PIECES)}, "
            "the number of special symbols."
        )
    cleaned = (_clean(text, lowercase) for text in texts)
    if kind == "bpe":
        if vocab_size is None:
            raise ValueError("kind='bpe' needs a vocab_size, for example 8000.")
        tokenizer = _train_bpe(cleaned, vocab_size, min_frequency)
    else:
        tokenizer = _count(cleaned, kind, separator, vocab_size, min_frequency)
    if tokenizer.get_vocab_size() == len(SPECIAL_PIECES):
        raise DataError("there are no symbols to learn: the texts are missing or empty.")
    return Symbols(tokenizer, kind, separator, lowercase)


def _clean(text: str, lowercase: bool) -> str:
    text = unicodedata.normalize("NFC", text)
    return text.lower() if lowercase else text


def _count(
    texts: Iterable[str],
    kind: SymbolKind,
    separator: str,
    vocab_size: int | None,
    min_frequency: int,
) -> Tokenizer:
    counts: Counter[str] = Counter()
    iterator = iter(texts)
    while chunk := list(islice(iterator, _CHUNK)):
        if kind == "characters":
            counts.update("".join(chunk))
        else:
            counts.update(piece for piece in separator.join(chunk).split(separator) if piece)
    kept = [
        (piece, count)
        for piece, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= min_frequency
    ]
    if vocab_size is not None:
        kept = kept[: vocab_size - len(SPECIAL_PIECES)]
    pieces = [*SPECIAL_PIECES, *(_shielded(piece) for piece, _ in kept)]
    vocabulary = {piece: id_ for id_, piece in enumerate(pieces)}
    return Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL_PIECES[UNKNOWN]))


def _train_bpe(texts: Iterable[str], vocab_size: int, min_frequency: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_PIECES[UNKNOWN]))
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_PIECES),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.replace(" ", _SPACE) for text in texts), trainer)
    # Special pieces must not be found inside a user's text.
    return Tokenizer(tokenizer.model)
