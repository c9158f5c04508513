"""The pairs of a corpus as ids, in files that are mapped into memory."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError
from ._array_file import Array, checksum, open_array
from ._columns import Columns
from ._corpus_writer import CORPUS_FORMAT, INDEX, CorpusWriter, describe_corpus
from ._ragged import Ragged
from ._symbols import Symbols


class EncodedPair(NamedTuple):
    """The ids of a source and of a target, without BEGIN and END."""

    source: Array
    target: Array


class Corpus:
    """The ids of all pairs of a corpus, in files that are mapped into memory.

    Only what is used is read, and the system may drop it again, so a corpus can be larger than the
    memory. Make one with `Corpus.build`.

    Args:
        directory: where its files are.
        source: ids of the sources.
        target: ids of the targets.
        skipped: pairs left out because they were too long.
        longest_pair: symbols of the longest pair: source, target and END.

    Attributes:
        directory: where its files are.
        source: ids of the sources, a row for each pair.
        target: ids of the targets.
        skipped: pairs left out because they were too long.
        longest_pair: symbols of the longest pair: source, target and END.
    """

    def __init__(
        self, directory: Path, source: Ragged, target: Ragged, skipped: int, longest_pair: int
    ) -> None:
        self.directory = directory
        self.source = source
        self.target = target
        self.skipped = skipped
        self.longest_pair = longest_pair

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.source)

    def __repr__(self) -> str:
        return f"Corpus({len(self)} pairs in {self.directory})"

    @property
    def checksums(self) -> dict[str, int]:
        """The checksum of each file; the same where all ids are."""
        return dict(_read_index(self.directory)["files"])

    def pair(self, index: int) -> EncodedPair:
        """The ids of one pair.

        Args:
            index: from 0 to `len(self) - 1`, in the order of the files.
        """
        return EncodedPair(self.source[index], self.target[index])

    @classmethod
    def build(
        cls,
        paths: str | Path | Sequence[str | Path],
        source_symbols: Symbols,
        target_symbols: Symbols,
        columns: Columns | None = None,
        *,
        cache_dir: str | Path,
        max_length: int = 1000,
        skip_longer: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> "Corpus":
        """The corpus of some TSV files, from `cache_dir` where it was built before.

        The files are read once, as a stream. What is built appears in `cache_dir` all at once when
        it is complete; it is built again when a file, the symbols, or an argument has changed, or
        when what is there is damaged.

        Args:
            paths: TSV files, one after the other; also `.gz`.
            source_symbols: symbols of the sources.
            target_symbols: symbols of the targets.
            columns: where source and target stand; the first two columns when absent.
            cache_dir: folder for what is built; made where it is missing.
            max_length: most symbols of a source, and of a target.
            skip_longer: whether pairs that are longer are left out; else they are a fault.
            progress: called now and then with the number of pairs read so far.

        Raises:
            DataError: as for `read_pairs`, or a pair is too long or has a side without a symbol,
                or `cache_dir` cannot be written.
        """
        files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
        description = describe_corpus(
            files,
            source_symbols,
            target_symbols,
            Columns() if columns is None else columns,
            max_length,
            skip_longer,
        )
        writer = CorpusWriter(Path(cache_dir), description)
        try:
            corpus = cls.open(writer.directory)
            if _read_index(writer.directory)["description"] == description:
                return corpus
        except DataError:
            pass  # there is none yet, or it is damaged: build it
        writer.write(files, source_symbols, target_symbols, progress)
        return cls.open(writer.directory)

    @classmethod
    def open(cls, directory: str | Path, *, verify: bool = True) -> "Corpus":
        """A corpus that `Corpus.build` left.

        Args:
            directory: `corpus.directory`.
            verify: whether the files are read through once to see that none is damaged.

        Raises:
            DataError: it is not there, damaged, or of a format this version does not read.
        """
        directory = Path(directory)
        index = _read_index(directory)
        try:
            arrays = {name: open_array(directory / name) for name in index["files"]}
            for name, expected in index["files"].items():
                if verify and checksum(directory / name) != expected:
                    raise ValueError(f"{name} has changed since it was written")
            source = Ragged(arrays["source.ids.npy"], arrays["source.offsets.npy"])
            target = Ragged(arrays["target.ids.npy"], arrays["target.offsets.npy"])
            if not len(source) == len(target) == index["pairs"]:
                raise ValueError("the sides have different numbers of pairs")
            skipped, longest_pair = index["skipped"], index["longest_pair"]
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise DataError(
                f"the corpus in {directory} is damaged ({error}); delete the folder, and it is "
                "built again."
            ) from error
        return cls(directory, source, target, skipped, longest_pair)

    def __reduce__(self) -> tuple[Callable[[Path], "Corpus"], tuple[Path]]:
        # A memory map would be pickled with all it holds; a worker maps the files itself.
        return _reopen, (self.directory,)


def _reopen(directory: Path) -> Corpus:
    return Corpus.open(directory, verify=False)


def _read_index(directory: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((directory / INDEX).read_text("utf-8"))
        if index["description"]["format"] != CORPUS_FORMAT:
            raise DataError(
                f"the corpus in {directory} has format {index['description']['format']}, this "
                f"version reads {CORPUS_FORMAT}; delete the folder, and it is built again."
            )
    except FileNotFoundError as error:
        raise DataError(
            f"there is no corpus in {directory}; make one with Corpus.build."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the corpus in {directory} is damaged ({error}); delete the folder, and it is built "
            "again."
        ) from error
    return index
