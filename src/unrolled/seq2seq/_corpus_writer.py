"""Writing the ids of a corpus: all or nothing."""

import errno
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ._array_file import ArrayFile, checksum
from ._columns import Columns
from ._pairs import Pair, read_pairs
from ._symbols import Counts, Ids, Symbols

Flags = np.ndarray[tuple[int], np.dtype[np.bool]]

CORPUS_FORMAT = 1
INDEX = "corpus.json"

_CHUNK = 8192  # pairs encoded at once
_ABANDONED = 3600.0  # seconds without a write after which nobody is building any more
_UNFINISHED = ".building"


def describe_corpus(
    files: list[Path],
    source_symbols: Symbols,
    target_symbols: Symbols,
    columns: Columns,
    max_length: int,
    skip_longer: bool,
) -> dict[str, Any]:
    """All that the ids of a corpus depend on, in plain values.

    Args:
        files: TSV files.
        source_symbols: symbols of the sources.
        target_symbols: symbols of the targets.
        columns: where source and target stand.
        max_length: most symbols of a source, and of a target.
        skip_longer: whether longer pairs are left out.

    Raises:
        DataError: a file is missing or no file, or there is none.
        ValueError: `max_length` is below 1.
    """
    if max_length < 1:
        raise ValueError(f"max_length is {max_length}; it must be at least 1.")
    if not files:
        raise DataError("there are no files to build a corpus of; give at least one.")
    return {
        "format": CORPUS_FORMAT,
        "files": [_stamp(path) for path in files],
        "source_symbols": source_symbols.fingerprint,
        "target_symbols": target_symbols.fingerprint,
        "columns": asdict(columns),
        "max_length": max_length,
        "skip_longer": skip_longer,
    }


class CorpusWriter:
    """Writes the ids of a corpus into a folder that appears when it is complete.

    Args:
        cache_dir: folder of all corpora.
        description: what `describe_corpus` says of this one.

    Attributes:
        directory: where the corpus will be.
    """

    def __init__(self, cache_dir: Path, description: dict[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
        self.directory = cache_dir / f"corpus-{digest[:16]}"
        self._description = description

    def write(
        self,
        files: list[Path],
        source_symbols: Symbols,
        target_symbols: Symbols,
        progress: Callable[[int], None] | None,
    ) -> None:
        """Build the corpus; in place of what is there.

        Args:
            files: TSV files.
            source_symbols: symbols of the sources.
            target_symbols: symbols of the targets.
            progress: called now and then with the number of pairs read so far.

        Raises:
            DataError: see `Corpus.build`.
        """
        cache_dir = self.directory.parent
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            _sweep(cache_dir)
            building = _new_folder(self.directory)
        except OSError as error:
            raise _unwritable(cache_dir, error) from error
        try:
            self._fill(building, files, source_symbols, target_symbols, progress)
            _put_in_place(building, self.directory)
        except OSError as error:
            raise _unwritable(cache_dir, error) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _fill(
        self,
        building: Path,
        files: list[Path],
        source_symbols: Symbols,
        target_symbols: Symbols,
        progress: Callable[[int], None] | None,
    ) -> None:
        columns = Columns(**self._description["columns"])
        read = skipped = longest_pair = 0
        with ExitStack() as stack:
            source = _SideFile(building, "source", source_symbols, stack)
            target = _SideFile(building, "target", target_symbols, stack)
            for path in files:
                for chunk in _chunks(read_pairs(path, columns)):
                    source_ids, source_lengths = source.encode(path, chunk)
                    target_ids, target_lengths = target.encode(path, chunk)
                    kept = self._within_limit(path, chunk, source_lengths, target_lengths)
                    source.append(source_ids, source_lengths, kept)
                    target.append(target_ids, target_lengths, kept)
                    longest = np.max(source_lengths + target_lengths, where=kept, initial=0) + 1
                    longest_pair = max(longest_pair, int(longest))
                    read += len(chunk)
                    skipped += len(chunk) - int(kept.sum())
                    if progress is not None:
                        progress(read)
            source.complete()
            target.complete()
        if [_stamp(path) for path in files] != self._description["files"]:
            raise DataError(
                f"{_listed(files)} changed while being read; start again when it is complete."
            )
        if read == skipped:
            raise DataError(
                f"all {read} pairs of {_listed(files)} have more than "
                f"{self._description['max_length']} symbols; raise max_length."
            )
        names = sorted(file.name for file in building.iterdir())
        index = {
            "description": self._description,
            "pairs": read - skipped,
            "skipped": skipped,
            "longest_pair": longest_pair,
            "files": {name: checksum(building / name) for name in names},
        }
        (building / INDEX).write_text(json.dumps(index, indent=2), "utf-8")

    def _within_limit(
        self, path: Path, chunk: list[Pair], source_lengths: Counts, target_lengths: Counts
    ) -> Flags:
        limit = self._description["max_length"]
        kept: Flags = (source_lengths <= limit) & (target_lengths <= limit)
        if not kept.all() and not self._description["skip_longer"]:
            first = int(np.argmin(kept))
            side, lengths = (
                ("source", source_lengths)
                if source_lengths[first] > limit
                else ("target", target_lengths)
            )
            raise DataError(
                f"{path}:{chunk[first].line}: the {side} has {lengths[first]} symbols, more than "
                f"max_length, {limit}; shorten it, delete the line or raise max_length."
            )
        return kept


class _SideFile:
    """The ids of one side and where each row begins."""

    def __init__(self, folder: Path, side: str, symbols: Symbols, stack: ExitStack) -> None:
        self._side = side
        self._symbols = symbols
        ids = ArrayFile(folder / f"{side}.ids.npy", np.min_scalar_type(len(symbols) - 1))
        self._ids = stack.enter_context(closing(ids))
        offsets = ArrayFile(folder / f"{side}.offsets.npy", np.dtype(np.int64))
        self._offsets = stack.enter_context(closing(offsets))
        self._offsets.append(np.zeros(1, np.int64))

    def encode(self, path: Path, chunk: list[Pair]) -> tuple[Ids, Counts]:
        ids, lengths = self._symbols.encode_flat(
            [pair.target if self._side == "target" else pair.source for pair in chunk]
        )
        if not lengths.all():
            line = chunk[int(np.argmin(lengths))].line
            raise DataError(
                f"{path}:{line}: the {self._side} has no symbol, only separators; fill it in or "
                "delete the line."
            )
        return ids, lengths

    def append(self, ids: Ids, lengths: Counts, kept: Flags) -> None:
        if not kept.all():
            ids, lengths = ids[np.repeat(kept, lengths)], lengths[kept]
        self._offsets.append(self._ids.length + np.cumsum(lengths))
        self._ids.append(ids)

    def complete(self) -> None:
        self._ids.complete()
        self._offsets.complete()


def _stamp(path: Path) -> list[str | int]:
    """What changes when a file does: its place, size and time of change."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file.")
    if not path.is_file():
        raise DataError(
            f"{path} is a pipe or a device, but a corpus is read more than once; write it to a "
            "file first."
        )
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def _listed(files: list[Path]) -> str:
    return ", ".join(map(str, files))


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(islice(pairs, _CHUNK)):
        yield chunk


def _sweep(cache_dir: Path) -> None:
    """Delete what builds left that were killed."""
    oldest = time.time() - _ABANDONED
    for folder in cache_dir.glob(f"corpus-*{_UNFINISHED}"):
        with suppress(FileNotFoundError):  # its builder has just finished
            times = [entry.stat().st_mtime for entry in (folder, *folder.iterdir())]
            if max(times) < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _new_folder(directory: Path) -> Path:
    folder = directory.with_name(f"{directory.name}.{uuid.uuid4().hex[:12]}{_UNFINISHED}")
    folder.mkdir()
    return folder


def _put_in_place(building: Path, directory: Path) -> None:
    if directory.exists():  # damaged, or of another build of the same that ended just now
        aside = _new_folder(directory)
        directory.rename(aside / directory.name)
        shutil.rmtree(aside, ignore_errors=True)
    try:
        building.rename(directory)
    except OSError:
        if not (directory / INDEX).exists():
            raise


def _unwritable(cache_dir: Path, error: OSError) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"the disk of {cache_dir} is full; free some space or choose another folder for the "
            "corpus. Nothing else was changed."
        )
    return DataError(
        f"the corpus cannot be written to {cache_dir}: {error.strerror or error}; choose another "
        "folder."
    )
