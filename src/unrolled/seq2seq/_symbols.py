"""The symbols of one side: text to ids and back."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

from tokenizers import Tokenizer

from ..errors import ModelError
from ._special import SPECIAL_PIECES, UNKNOWN

SymbolKind = Literal["characters", "separator", "bpe"]
SYMBOL_KINDS: tuple[SymbolKind, ...] = get_args(SymbolKind)

# BPE writes a space as this character, which no text of a user holds (private use area).
_SPACE = "\ue000"


class Symbols:
    """The vocabulary of one side and the rule that cuts a text into its pieces.

    Ids 0 to 3 are PAD, BEGIN, END and UNKNOWN; a text can never produce the first three, whatever
    is written in it. Make one with `train_symbols` or `Symbols.load`.

    Args:
        tokenizer: a Hugging Face tokenizer made by `train_symbols`.
        kind: `"characters"`, `"separator"` or `"bpe"`.
        separator: what stands between the pieces of a text of kind `"separator"`.
        lowercase: whether texts are lower-cased first.
    """

    def __init__(
        self, tokenizer: Tokenizer, kind: SymbolKind, separator: str, lowercase: bool
    ) -> None:
        self._tokenizer = tokenizer
        self.kind = kind
        self.separator = separator
        self.lowercase = lowercase
        self._id_of: dict[str, int] = tokenizer.get_vocab()
        self._piece_of = {id_: piece for piece, id_ in self._id_of.items()}

    def __len__(self) -> int:
        """How many ids there are, special ones included."""
        return len(self._id_of)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, unseen ones included.

        Args:
            text: what a user wrote.
        """
        text = self._normalised(text)
        if self.kind == "characters":
            return list(text)
        if self.kind == "separator":
            return [piece for piece in text.split(self.separator) if piece]
        tokens: list[str] = self._tokenizer.encode(text.replace(" ", _SPACE)).tokens
        return [token.replace(_SPACE, " ") for token in tokens]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BEGIN and END; what was not seen in training is UNKNOWN.

        Args:
            text: what a user wrote.
        """
        if self.kind == "bpe":
            ids: list[int] = self._tokenizer.encode(self._normalised(text).replace(" ", _SPACE)).ids
            return ids
        find = self._id_of.get
        return [find(_shielded(piece), UNKNOWN) for piece in self.pieces(text)]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many texts.

        Args:
            texts: what users wrote.
        """
        if self.kind == "bpe":
            cleaned = [self._normalised(text).replace(" ", _SPACE) for text in texts]
            return [encoding.ids for encoding in self._tokenizer.encode_batch(cleaned)]
        return [self.encode(text) for text in texts]

    def id_to_piece(self, id_: int) -> str:
        """The piece of an id; special ids have names in angle brackets.

        Args:
            id_: from 0 to `len(self) - 1`.

        Raises:
            ValueError: there is no such id.
        """
        if id_ not in self._piece_of:
            raise ValueError(f"id is {id_}; this vocabulary has ids 0 to {len(self) - 1}.")
        if id_ <= UNKNOWN:
            return SPECIAL_PIECES[id_]
        return _unshielded(self._piece_of[id_]).replace(_SPACE, " ")

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special ids are left out.

        Args:
            ids: as `encode` gives them.

        Raises:
            ValueError: there is no such id.
        """
        between = self.separator if self.kind == "separator" else ""
        return between.join(self.id_to_piece(id_) for id_ in ids if id_ > UNKNOWN)

    def unknown(self, text: str) -> list[str]:
        """The pieces of a text that training never saw, each once, in order.

        Args:
            text: what a user wrote.
        """
        if self.kind == "bpe":
            known = set("".join(self._piece_of.values()))
            pieces = list(self._normalised(text).replace(" ", _SPACE))
            missing = [piece.replace(_SPACE, " ") for piece in pieces if piece not in known]
        else:
            missing = [p for p in self.pieces(text) if _shielded(p) not in self._id_of]
        return list(dict.fromkeys(missing))

    def settings(self) -> dict[str, str | bool]:
        """What `load` needs beside the tokenizer's own file."""
        return {"kind": self.kind, "separator": self.separator, "lowercase": self.lowercase}

    def fingerprint(self) -> str:
        """A hash of the vocabulary and the rule; equal symbols have equal ones."""
        described = repr((self._tokenizer.to_str(), sorted(self.settings().items())))
        return hashlib.sha256(described.encode()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write a `tokenizer.json`.

        Args:
            path: file to write.

        Raises:
            OSError: the file cannot be written.
        """
        Path(path).write_text(self._tokenizer.to_str(pretty=True), "utf-8")

    @classmethod
    def load(
        cls, path: str | Path, *, kind: SymbolKind, separator: str = " ", lowercase: bool = False
    ) -> "Symbols":
        """Read what `save` wrote.

        Args:
            path: file to read.
            kind: as in `settings`.
            separator: as in `settings`.
            lowercase: as in `settings`.

        Raises:
            ModelError: the file is missing or is no tokenizer.
        """
        try:
            tokenizer = Tokenizer.from_str(Path(path).read_text("utf-8"))
        except FileNotFoundError as error:
            raise ModelError(f"{path} is missing; a model directory needs it.") from error
        except Exception as error:  # tokenizers raises bare Exception for a broken file
            raise ModelError(
                f"{path} is no tokenizer file ({error}); restore it from a copy of the model."
            ) from error
        return cls(tokenizer, kind, separator, lowercase)

    def _normalised(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        return text.lower() if self.lowercase else text


def _shielded(piece: str) -> str:
    """A piece as the vocabulary keeps it: one that reads like a special piece gets a shield."""
    return f"\ue001{piece}" if piece in SPECIAL_PIECES else piece


def _unshielded(piece: str) -> str:
    return piece.removeprefix("\ue001")
