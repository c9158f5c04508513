"""Pairs as ids on disk, memory-mapped."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._pairs import Columns, Pair, read_pairs
from ._symbols import Symbols

_VERSION = 1
_CHUNK = 20_000
_MANIFEST = "corpus.json"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a corpus.

    Attributes:
        ids: the ids of all texts, one after the other.
        offsets: where each text begins in `ids`, and the end of the last: one more than texts.
    """

    ids: npt.NDArray[np.unsignedinteger[Any]]
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Symbols of each text."""
        return np.diff(self.offsets)

    def text(self, index: int) -> list[int]:
        """The ids of one text.

        Args:
            index: from 0.
        """
        ids: list[int] = self.ids[self.offsets[index] : self.offsets[index + 1]].tolist()
        return ids


class Corpus:
    """Encoded pairs in flat arrays that the operating system pages in as they are read.

    The memory a process needs does not grow with the corpus but for what its batches touch.

    Args:
        source: the source side.
        target: the target side.
    """

    def __init__(self, source: Side, target: Side) -> None:
        self.source = source
        self.target = target

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.source.offsets) - 1

    def pair(self, index: int) -> tuple[list[int], list[int]]:
        """The ids of one pair, without BEGIN and END.

        Args:
            index: from 0.

        Raises:
            IndexError: there is no such pair.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}; use 0 to {len(self) - 1}.")
        return self.source.text(index), self.target.text(index)

    @classmethod
    def build(
        cls,
        path: str | Path,
        source_symbols: Symbols,
        target_symbols: Symbols,
        *,
        columns: Columns | None = None,
        cache_dir: str | Path,
        max_length: int = 1000,
    ) -> "Corpus":
        """Encode a TSV once and map the result; a later call with the same file reuses it.

        Args:
            path: the TSV.
            source_symbols: those of the source.
            target_symbols: those of the target.
            columns: where source and target stand.
            cache_dir: folder for the encoded corpus. It is written in full before it gets its
                name, so an interrupted build leaves nothing that could be mistaken for one.
            max_length: most symbols of a source or a target.

        Raises:
            DataError: the file cannot be read, a text is too long, or the disk is full.
        """
        path = Path(path)
        columns = Columns() if columns is None else columns
        if not path.exists():
            raise DataError(f"{path} does not exist; check the path.")
        folder = Path(cache_dir) / _key(path, source_symbols, target_symbols, columns, max_length)
        if not _is_whole(folder):
            pairs = read_pairs(path, columns)
            encoded = _encoded(path, pairs, source_symbols, target_symbols, max_length)
            sizes = (len(source_symbols), len(target_symbols))
            try:
                _write(folder, encoded, sizes)
            except OSError as error:
                raise DataError(
                    f"the encoded corpus cannot be written to {folder.parent} "
                    f"({error.strerror or error}); free space there or choose another folder."
                ) from error
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> "Corpus":
        """Map a corpus that `build` wrote.

        Args:
            folder: the corpus's own folder.

        Raises:
            DataError: it is missing or damaged.
        """
        folder = Path(folder)
        if not _is_whole(folder):
            raise DataError(f"{folder} holds no whole corpus; build it again.")
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return cls(*(_open_side(folder, side, manifest) for side in ("source", "target")))


def _open_side(folder: Path, side: str, manifest: dict[str, Any]) -> Side:
    ids = np.memmap(folder / f"{side}.ids", dtype=manifest[f"{side}_type"], mode="r")
    offsets = np.load(folder / f"{side}.offsets.npy", mmap_mode="r")
    return Side(ids, offsets)


def _key(path: Path, source: Symbols, target: Symbols, columns: Columns, max_length: int) -> str:
    stat = path.stat()
    parts = (_VERSION, str(path.resolve()), stat.st_size, stat.st_mtime_ns, columns, max_length)
    known = (source.fingerprint(), target.fingerprint())
    return hashlib.sha256(repr((parts, known)).encode()).hexdigest()[:20]


def _is_whole(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return all(
            (folder / name).stat().st_size == size for name, size in manifest["bytes"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False


Encoded = tuple[list[list[int]], list[list[int]]]


def _encoded(
    path: Path,
    pairs: Iterable[Pair],
    source_symbols: Symbols,
    target_symbols: Symbols,
    max_length: int,
) -> Iterator[Encoded]:
    pairs = iter(pairs)
    while chunk := list(islice(pairs, _CHUNK)):
        both = (
            source_symbols.encode_batch([pair.source for pair in chunk]),
            target_symbols.encode_batch([pair.target for pair in chunk]),
        )
        for side, texts in zip(("source", "target"), both, strict=True):
            for pair, ids in zip(chunk, texts, strict=True):
                if not 1 <= len(ids) <= max_length:
                    raise DataError(
                        f"{path}:{pair.line}: the {side} has {len(ids)} symbols; it must have 1 to "
                        f"max_length={max_length}. Shorten or delete the line, or raise max_length."
                    )
        yield both


def _write(folder: Path, chunks: Iterator[Encoded], sizes: tuple[int, int]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    types = [np.dtype(np.uint16 if size <= 65_536 else np.uint32) for size in sizes]
    lengths: tuple[list[npt.NDArray[np.int64]], ...] = ([], [])
    try:
        with (
            (unfinished / "source.ids").open("wb") as source_file,
            (unfinished / "target.ids").open("wb") as target_file,
        ):
            files: tuple[IO[bytes], ...] = (source_file, target_file)
            for chunk in chunks:
                for texts, file, type_, seen in zip(chunk, files, types, lengths, strict=True):
                    sizes_of = np.fromiter(map(len, texts), np.int64, len(texts))
                    flat = (id_ for ids in texts for id_ in ids)
                    file.write(np.fromiter(flat, type_, int(sizes_of.sum())).tobytes())
                    seen.append(sizes_of)
        for side, seen in zip(("source", "target"), lengths, strict=True):
            offsets = np.concatenate([[0], np.cumsum(np.concatenate(seen))]).astype(np.int64)
            np.save(unfinished / f"{side}.offsets.npy", offsets)
        manifest = {
            "version": _VERSION,
            "source_type": types[0].name,
            "target_type": types[1].name,
            "bytes": {file.name: file.stat().st_size for file in sorted(unfinished.iterdir())},
        }
        (unfinished / _MANIFEST).write_text(json.dumps(manifest), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
