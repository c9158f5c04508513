"""The symbols of one side: text to ids and back."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import index
from pathlib import Path
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
from tokenizers import Tokenizer

from ..errors import DataError, ModelError
from ._special import SPECIAL_PIECES, UNKNOWN

SymbolKind = Literal["characters", "separator", "bpe"]
SYMBOL_KINDS: tuple[SymbolKind, ...] = get_args(SymbolKind)

Ids = np.ndarray[tuple[int], np.dtype[np.uint32]]
Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


class Symbols:
    """The vocabulary of one side and the rule that cuts a text into its pieces.

    Ids 0 to 3 are PAD, BEGIN, END and UNKNOWN, and no text gives one of the first three, whatever
    is written in it. All that is known stands in the tokenizer, so its `tokenizer.json` is enough
    to go on, here or with Hugging Face `tokenizers` alone. Make one with `train_symbols` or
    `Symbols.load`.

    Args:
        tokenizer: a Hugging Face tokenizer made by `train_symbols`.

    Attributes:
        kind: `"characters"`, `"separator"` or `"bpe"`.
        separator: what stands between the pieces of kind `"separator"`, else empty.

    Raises:
        ValueError: the tokenizer is of another make.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        layout = json.loads(tokenizer.to_str())
        self.kind, self.separator = _kind(layout)
        self._tokenizer = tokenizer
        self._normalizer = tokenizer.normalizer
        self._id_of: dict[str, int] = tokenizer.get_vocab(with_added_tokens=False)
        self._pieces = sorted(self._id_of, key=self._id_of.__getitem__)
        if [self._id_of[piece] for piece in self._pieces] != list(range(len(self._pieces))):
            raise ValueError("ids must be counted from 0 without a gap; use train_symbols.")
        special = [special_piece(id_, self.separator) for id_ in range(len(SPECIAL_PIECES))]
        if self._pieces[: len(special)] != special or layout["added_tokens"]:
            raise ValueError(f"ids 0 to 3 must be {special}; use train_symbols.")
        self._id_of_code = _ids_of_codes(self._id_of) if self.kind == "characters" else None

    def __len__(self) -> int:
        """How many ids there are, special ones included."""
        return len(self._pieces)

    def __repr__(self) -> str:
        separator = f", separator={self.separator!r}" if self.kind == "separator" else ""
        return f"Symbols(kind={self.kind!r}{separator}, {len(self)} ids)"

    @property
    def fingerprint(self) -> str:
        """A digest of the vocabulary and its rule; equal if and only if they encode alike."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    def normalised(self, text: str) -> str:
        """The text that `decode(encode(text))` gives back where all its pieces are known.

        It is the text itself, but for what was asked for in training (lower case, NFC), and for
        separators at the ends or in a row, which separate nothing.

        Args:
            text: what a user wrote.
        """
        if self.kind == "separator":
            return self.separator.join(self.pieces(text))
        return self._folded(text)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, one for each id of `encode`, unseen ones as they are written.

        Args:
            text: what a user wrote.
        """
        if self.kind == "bpe":
            encoding = self._encoding(text)
            return [
                text[start:end] if id_ == UNKNOWN else self._pieces[id_]
                for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
            ]
        text = self._folded(text)
        if self.kind == "characters":
            return list(text)
        return [piece for piece in text.split(self.separator) if piece]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BEGIN and END; what was not seen in training is UNKNOWN.

        Args:
            text: what a user wrote.
        """
        if self.kind == "bpe":
            ids: list[int] = self._encoding(text).ids
            return ids
        find = self._id_of.get
        return [find(piece, UNKNOWN) for piece in self.pieces(text)]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts.

        Args:
            texts: what users wrote.

        Raises:
            TypeError: it is one text.
        """
        ids, lengths = self.encode_flat(texts)
        return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])][: len(texts)]

    def encode_flat(self, texts: Sequence[str]) -> tuple[Ids, Counts]:
        """The ids of many texts, one text after the other in one array, and the length of each.

        Args:
            texts: what users wrote.

        Raises:
            TypeError: it is one text.
        """
        refuse_one_text(texts)
        if self.kind == "bpe":
            rows = [encoding.ids for encoding in self._encodings(texts)]
            return _concatenated(rows)
        folded = texts if self._normalizer is None else [self._folded(text) for text in texts]
        if self._id_of_code is None:
            find, cut = self._id_of.get, self.separator
            return _concatenated([[find(p, UNKNOWN) for p in t.split(cut) if p] for t in folded])
        codes = np.frombuffer("".join(folded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        ids = self._id_of_code[np.minimum(codes, len(self._id_of_code) - 1)]
        return ids, np.fromiter(map(len, folded), dtype=np.int64, count=len(folded))

    def id_to_piece(self, id_: int) -> str:
        """The piece of an id; special ids have names in angle brackets.

        Args:
            id_: from 0 to `len(self) - 1`.

        Raises:
            ValueError: there is no such id.
        """
        if not 0 <= id_ < len(self._pieces):
            raise ValueError(f"id is {id_}; these symbols have ids 0 to {len(self) - 1}.")
        return SPECIAL_PIECES[id_] if id_ < len(SPECIAL_PIECES) else self._pieces[id_]

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """The text of ids; special ids are left out.

        Args:
            ids: as `encode` gives them; integers of any kind.

        Raises:
            ValueError: there is no such id.
        """
        plain = [id_ for id_ in map(index, ids) if not 0 <= id_ < len(SPECIAL_PIECES)]
        return self.separator.join(map(self.id_to_piece, plain))

    def unknown(self, text: str) -> list[str]:
        """The pieces of a text that training did not see, each once, in order.

        Args:
            text: what a user wrote.
        """
        pairs = zip(self.encode(text), self.pieces(text), strict=True)
        return list(dict.fromkeys(piece for id_, piece in pairs if id_ == UNKNOWN))

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.json`.

        Args:
            path: file to write.

        Raises:
            OSError: the file cannot be written.
        """
        Path(path).write_text(self._tokenizer.to_str(pretty=True), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Symbols":
        """Read what `save` wrote.

        Args:
            path: file to read.

        Raises:
            ModelError: the file is missing, damaged or of another make.
        """
        try:
            text = Path(path).read_text("utf-8")
        except FileNotFoundError as error:
            raise ModelError(f"{path} is missing; restore it from a copy of the model.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path} cannot be read ({error}); restore it from a copy.") from error
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # tokenizers raises a bare Exception for what it cannot parse
            raise ModelError(
                f"{path} is damaged, it holds no tokenizer ({error}); restore it from a copy of "
                "the model."
            ) from error
        try:
            return cls(tokenizer)
        except ValueError as error:
            raise ModelError(f"{path} holds a tokenizer of another make: {error}") from error

    def __reduce__(self) -> tuple[type["Symbols"], tuple[Tokenizer]]:
        return Symbols, (self._tokenizer,)

    def _folded(self, text: str) -> str:
        if self._normalizer is None:
            return text
        folded: str = self._normalizer.normalize_str(_sound(text))
        return folded

    def _encoding(self, text: str) -> Any:
        return self._tokenizer.encode(_sound(text))

    def _encodings(self, texts: Sequence[str]) -> list[Any]:
        encodings: list[Any] = self._tokenizer.encode_batch([_sound(text) for text in texts])
        return encodings


def refuse_one_text(texts: object) -> None:
    """Refuse a string where many are wanted, whose characters would be taken for texts.

    Args:
        texts: what was given.

    Raises:
        TypeError: it is a string.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts is the string {texts!r}; give a list of strings.")


def special_piece(id_: int, separator: str) -> str:
    """How the vocabulary writes a special piece: as no text can, whatever a user writes.

    No piece of kind `"separator"` holds the separator, none of kind `"characters"` is this long,
    and none of kind `"bpe"` has a space after another character.

    Args:
        id_: PAD, BEGIN, END or UNKNOWN.
        separator: that of kind `"separator"`, else empty.
    """
    return SPECIAL_PIECES[id_] + (separator or " ")


def _kind(layout: dict[str, Any]) -> tuple[SymbolKind, str]:
    cut = layout.get("pre_tokenizer") or {}
    if cut.get("type") == "Split":
        model, pattern = layout["model"]["type"], cut["pattern"]
        if model == "BPE":
            return "bpe", ""
        if model == "WordLevel":
            return ("separator", pattern["String"]) if "String" in pattern else ("characters", "")
    raise ValueError("it cuts texts in a way that is not ours; use train_symbols.")


def _ids_of_codes(id_of: dict[str, int]) -> Ids:
    """A table from code point to id; what lies beyond its end is UNKNOWN, like its last entry."""
    codes = {ord(piece): id_ for piece, id_ in id_of.items() if len(piece) == 1}
    table = np.full(max(codes, default=0) + 2, UNKNOWN, dtype=np.uint32)
    table[list(codes)] = list(codes.values())
    return table


def _concatenated(rows: list[list[int]]) -> tuple[Ids, Counts]:
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    ids = np.fromiter(chain.from_iterable(rows), np.uint32, count=int(lengths.sum()))
    return ids, lengths


def _sound(text: str) -> str:
    """The text, unless it holds half a surrogate pair, which no UTF-8 file can hold."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"the text {text!r} holds a lone surrogate at character {error.start + 1}; it was "
                "not read as UTF-8, so decode it again."
            ) from error
    return text
