"""Learning the symbols of one side from texts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..errors import DataError
from ._special import SPECIAL_PIECES, UNKNOWN
from ._symbols import SYMBOL_KINDS, SymbolKind, Symbols, refuse_one_text, special_piece

_MOST = 10_000_000  # the learner of merges reserves the memory at once, and dies of too much
_CHUNK = 10_000  # texts counted at once; enough that the loop costs nothing, small in memory
_ANY_CHARACTER = r"[\s\S]"
_WORD_WITH_ITS_SPACE = r"\s?\S+|\s+"


def train_symbols(
    texts: Iterable[str],
    kind: SymbolKind = "characters",
    separator: str = " ",
    vocab_size: int | None = None,
    min_frequency: int = 1,
    lowercase: bool = False,
    nfc: bool = False,
) -> Symbols:
    """The symbols of one side of a corpus, the most frequent first.

    Args:
        texts: one side of the training pairs; read once, as a stream.
        kind: `"characters"` (Unicode code points), `"separator"` (pieces between separators) or
            `"bpe"` (Sennrich et al., 2016, "Neural machine translation of rare words with subword
            units"; merges stay within words, and a word keeps the space before it).
        separator: what stands between pieces, for `"separator"`.
        vocab_size: most ids, special ones included; all symbols that occur when absent, and
            needed for `"bpe"`.
        min_frequency: a symbol (a merge of `"bpe"`) seen less often is left out.
        lowercase: whether texts are lower-cased first.
        nfc: whether texts are brought to Unicode's normal form C first.

    Raises:
        TypeError: `texts` is one text.
        ValueError: an argument is not possible.
        DataError: there are no texts, or nothing in them.
    """
    refuse_one_text(texts)
    if kind not in SYMBOL_KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(SYMBOL_KINDS)}.")
    if kind == "separator" and not separator:
        raise ValueError("separator is empty; use kind='characters' to cut between characters.")
    if kind == "bpe" and vocab_size is None:
        raise ValueError("kind='bpe' needs a vocab_size, for example 8000.")
    if vocab_size is not None and vocab_size <= len(SPECIAL_PIECES):
        raise ValueError(
            f"vocab_size is {vocab_size}; it must be above {len(SPECIAL_PIECES)}, "
            "the number of special symbols."
        )
    if vocab_size is not None and vocab_size > _MOST:
        raise ValueError(f"vocab_size is {vocab_size}; it must be at most {_MOST}.")
    if min_frequency < 1:
        raise ValueError(f"min_frequency is {min_frequency}; it must be at least 1.")

    normalizer = _normalizer(lowercase, nfc)
    if normalizer is not None:
        separator = normalizer.normalize_str(separator)
    if kind == "bpe" and vocab_size is not None:
        tokenizer = _merged(texts, vocab_size, min_frequency, normalizer)
    else:
        chunks = _chunks(texts)
        if normalizer is not None:
            chunks = ([normalizer.normalize_str(text) for text in chunk] for chunk in chunks)
        counts = _counts(chunks, separator if kind == "separator" else None)
        tokenizer = _listed(counts, kind, separator, vocab_size, min_frequency)
    if tokenizer.get_vocab_size() == len(SPECIAL_PIECES):
        raise DataError(
            "there are no symbols to learn: the texts are missing or empty, or each symbol is seen "
            f"less than {min_frequency} times."
        )
    tokenizer.normalizer = normalizer
    return Symbols(tokenizer)


def _normalizer(lowercase: bool, nfc: bool) -> normalizers.Normalizer | None:
    steps = [normalizers.Lowercase()] * lowercase + [normalizers.NFC()] * nfc
    return normalizers.Sequence(steps) if steps else None


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _counts(chunks: Iterable[list[str]], separator: str | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in chunks:
        if separator is None:
            counts.update("".join(chunk))
        else:
            counts.update(chain.from_iterable(text.split(separator) for text in chunk))
    del counts[""]
    return counts


def _listed(
    counts: Counter[str],
    kind: SymbolKind,
    separator: str,
    vocab_size: int | None,
    min_frequency: int,
) -> Tokenizer:
    """A vocabulary of whole symbols, ties in the order of code points so that it never varies."""
    kept = sorted(piece for piece, count in counts.items() if count >= min_frequency)
    kept.sort(key=counts.__getitem__, reverse=True)
    special = _special_pieces(separator if kind == "separator" else "")
    pieces = special + kept[: None if vocab_size is None else vocab_size - len(special)]
    vocabulary = {piece: id_ for id_, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special[UNKNOWN]))
    if kind == "separator":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(separator, "removed")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_ANY_CHARACTER), "isolated")
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _merged(
    texts: Iterable[str],
    vocab_size: int,
    min_frequency: int,
    normalizer: normalizers.Normalizer | None,
) -> Tokenizer:
    special = _special_pieces("")
    learner = Tokenizer(models.BPE(unk_token=special[UNKNOWN]))
    learner.normalizer = normalizer
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD_WITH_ITS_SPACE), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        limit_alphabet=vocab_size - len(special),
        special_tokens=special,
        show_progress=False,
    )
    learner.train_from_iterator(_chunks(texts), trainer)
    # The learner would find special pieces inside a text; a tokenizer of the model alone won't.
    tokenizer = Tokenizer(learner.model)
    tokenizer.pre_tokenizer = learner.pre_tokenizer
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _special_pieces(separator: str) -> list[str]:
    return [special_piece(id_, separator) for id_ in range(len(SPECIAL_PIECES))]
