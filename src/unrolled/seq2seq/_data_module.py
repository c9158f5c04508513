"""The data of a training run: TSV files in, batches out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning

from ..errors import DataError
from ._columns import Columns
from ._corpus import Corpus
from ._pairs import Pair, read_pairs
from ._references import read_references
from ._symbols import SymbolKind, Symbols
from ._symbols_training import train_symbols
from ._token_batches import TokenBatches

_WATCHED = 8192  # pairs from one call of `watch` to the next


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """How one side is cut into symbols; the arguments of `train_symbols`."""

    kind: SymbolKind = "characters"
    separator: str = " "
    vocab_size: int | None = None
    lowercase: bool = False


class PairsDataModule(lightning.LightningDataModule):
    """Training and development pairs from TSV files.

    Symbols are learnt from the training file; both files are encoded once and memory-mapped.

    Args:
        train: pairs to learn from; `.gz` is unpacked on the way.
        dev: pairs to choose the model by. A source on several lines has several references.
        cache_dir: folder for the encoded pairs.
        columns: where source and target stand.
        source_rule: how sources are cut into symbols.
        target_rule: how targets are.
        tokens_per_batch: symbols in a batch, padding included.
        max_length: most symbols of a source or a target.
        seed: of the order of the pairs.
        processes: that share an epoch; each has its own number in its Trainer.
        workers: processes that fill batches ahead; see `TokenBatches`.
        watch: called now and then with the file that is read and the number of pairs so far.

    Attributes:
        start: epoch and batch of it with which training begins.
    """

    def __init__(
        self,
        train: str | Path,
        dev: str | Path,
        *,
        cache_dir: str | Path,
        columns: Columns | None = None,
        source_rule: SymbolRule | None = None,
        target_rule: SymbolRule | None = None,
        tokens_per_batch: int = 2048,
        max_length: int = 1000,
        seed: int = 1,
        processes: int = 1,
        workers: int = 0,
        watch: Callable[[Path, int], None] | None = None,
    ) -> None:
        super().__init__()
        self.train_path, self.dev_path = Path(train), Path(dev)
        self.cache_dir = Path(cache_dir)
        self.columns = Columns() if columns is None else columns
        self.source_rule = source_rule or SymbolRule()
        self.target_rule = target_rule or SymbolRule()
        self.tokens_per_batch = tokens_per_batch
        self.max_length = max_length
        self.seed = seed
        self.processes = processes
        self.workers = workers
        self.watch = watch
        self.start = (0, 0)
        self._batches: TokenBatches | None = None

    def prepare(self) -> None:
        """Learn the symbols and encode both files; does nothing the second time.

        Raises:
            DataError: a file cannot be read or used.
        """
        if self._batches is not None:
            return
        for path in (self.train_path, self.dev_path):
            if not path.exists():
                raise DataError(f"{path} does not exist; check the path.")
        self.source_symbols = self._learn("source", self.source_rule)
        self.target_symbols = self._learn("target", self.target_rule)
        self.train_corpus = self._encode(self.train_path)
        self.dev_corpus = self._encode(self.dev_path)
        self.references = read_references(self.dev_path, self.columns)
        self.dev_batches()  # a pair that does not fit is found now, not after the first epoch
        self._batches = self._train_batches(rank=0, world_size=self.processes)

    def train_dataloader(self) -> TokenBatches:
        """The training batches, this process's share of them."""
        self.prepare()
        if self.trainer is not None and self.trainer.world_size > 1:
            self._batches = self._train_batches(
                rank=self.trainer.global_rank, world_size=self.trainer.world_size
            )
        self.batches.seek(*self.start)
        return self.batches

    @property
    def batches(self) -> TokenBatches:
        """The training batches, which know where they stand."""
        if self._batches is None:
            raise RuntimeError("call prepare() before asking for batches.")
        return self._batches

    def dev_batches(self) -> TokenBatches:
        """The development pairs, from short to long."""
        return TokenBatches(self.dev_corpus, 4 * self.tokens_per_batch, shuffle=False)

    def _train_batches(self, rank: int, world_size: int) -> TokenBatches:
        return TokenBatches(
            self.train_corpus,
            self.tokens_per_batch,
            self.seed,
            rank=rank,
            world_size=world_size,
            workers=self.workers,
        )

    def _learn(self, side: str, rule: SymbolRule) -> Symbols:
        pairs = self._watched(self.train_path, read_pairs(self.train_path, self.columns))
        texts = (pair.source if side == "source" else pair.target for pair in pairs)
        return train_symbols(
            texts, rule.kind, rule.separator, rule.vocab_size, lowercase=rule.lowercase
        )

    def _encode(self, path: Path) -> Corpus:
        return Corpus.build(
            path,
            self.source_symbols,
            self.target_symbols,
            columns=self.columns,
            cache_dir=self.cache_dir,
            max_length=self.max_length,
            progress=None if self.watch is None else partial(self.watch, path),
        )

    def _watched(self, path: Path, pairs: Iterator[Pair]) -> Iterator[Pair]:
        for number, pair in enumerate(pairs, 1):
            if self.watch is not None and number % _WATCHED == 0:
                self.watch(path, number)
            yield pair
