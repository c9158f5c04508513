"""Which pairs stand together in the batches of an epoch."""

from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np

from ..errors import DataError
from ._corpus import Corpus
from ._ragged import Array, Integers

Lengths = np.ndarray[tuple[int], np.dtype[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class BatchPlan:
    """Which pairs stand together in the batches of an epoch, and in which order they come.

    Attributes:
        rows: indices of all pairs.
        starts: where each batch begins in `rows`.
        ends: where each batch ends.
    """

    rows: Array
    starts: Integers
    ends: Integers

    def __len__(self) -> int:
        """How many batches there are."""
        return len(self.starts)

    def batch(self, index: int) -> Array:
        """The indices of the pairs of one batch.

        Args:
            index: from 0 to `len(self) - 1`.
        """
        return self.rows[self.starts[index] : self.ends[index]]


class BatchPlanner:
    """Cuts a corpus into batches that fit a budget, anew in each epoch.

    Pairs are shuffled, sorted by length within pools, and cut where the budget is spent; then the
    batches are shuffled. A batch costs the symbols of its source and target tables, with padding
    and END. All follows from `seed` and the epoch. Every epoch has each pair once, and the same
    number of batches, so that a learning-rate schedule can count on it.

    Args:
        corpus: where the pairs are.
        tokens_per_batch: most symbols in a batch.
        seed: of the order.
        shuffle: whether the order is by chance.
        pool_size: pairs sorted together.
        world_size: processes that share an epoch; it divides the number of batches. Batches that
            are taken at the same time are of about the same length.

    Raises:
        ValueError: a number is not possible.
        DataError: the longest pair does not fit in a batch, or there are too few pairs.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens_per_batch: int,
        seed: int,
        shuffle: bool,
        pool_size: int,
        world_size: int,
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must be at least 0.")
        if pool_size < 1:
            raise ValueError(f"pool_size is {pool_size}; it must be at least 1.")
        if corpus.longest_pair > tokens_per_batch:
            raise DataError(
                f"tokens_per_batch is {tokens_per_batch}, but the longest pair needs "
                f"{corpus.longest_pair} symbols for source, target and END; raise tokens_per_batch "
                "or shorten that pair."
            )
        self.corpus = corpus
        self.tokens_per_batch = tokens_per_batch
        self.seed = seed
        self.shuffle = shuffle
        self.pool_size = pool_size
        self.world_size = world_size
        self._cut: tuple[int, int, Array, Integers] | None = None

    @cached_property
    def num_batches(self) -> int:
        """How many batches every epoch has, those of all processes together.

        Raises:
            DataError: the pairs cannot be shared out evenly among the processes.
        """
        _, ends = self._cut_pools(epoch=0, attempt=0)
        pools = -(-len(self.corpus) // self.pool_size)
        # How many batches a pool gives depends on chance, a little; that much room is enough.
        room = pools if self.shuffle and pools > 1 else 0
        share = -(-(len(ends) + room) // self.world_size)
        share = min(share, len(self.corpus) // self.world_size)
        if share * self.world_size < len(ends):
            raise DataError(
                f"{len(self.corpus)} pairs, {len(ends)} batches of {self.tokens_per_batch} symbols,"
                f" cannot be shared out evenly among {self.world_size} processes; raise "
                "tokens_per_batch, or use fewer processes."
            )
        return share * self.world_size

    def plan(self, epoch: int) -> BatchPlan:
        """The batches of an epoch, those of all processes.

        Args:
            epoch: 0 first.
        """
        for attempt in count():
            rows, ends = self._cut_pools(epoch, attempt)
            if len(ends) <= self.num_batches:
                break
        starts = np.concatenate(([0], ends[:-1]))
        starts, ends = _halved(starts, ends, self.num_batches)
        if self.shuffle:
            groups = np.arange(len(starts)).reshape(-1, self.world_size)
            order = self._generator(epoch, 1).permutation(groups).ravel()
            starts, ends = starts[order], ends[order]
        return BatchPlan(rows, starts, ends)

    def _generator(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose])

    def _cut_pools(self, epoch: int, attempt: int) -> tuple[Array, Integers]:
        """All pairs, sorted within pools, and where batches end; the last answer is kept."""
        if self._cut is not None and self._cut[:2] == (epoch, attempt):
            return self._cut[2:]
        self._cut = None  # so that two are never held
        rows = np.arange(len(self.corpus), dtype=np.min_scalar_type(len(self.corpus)))
        if self.shuffle:
            self._generator(epoch, 0, attempt).shuffle(rows)
        source_lengths = self.corpus.source.all_lengths()
        target_lengths = self.corpus.target.all_lengths()
        target_lengths += 1  # END
        ends = []
        for start in range(0, len(rows), self.pool_size):
            pool = rows[start : start + self.pool_size]
            source, target = source_lengths[pool], target_lengths[pool]
            order = np.lexsort((source, source + target))
            pool[:] = pool[order]
            ends.append(start + _ends(source[order], target[order], self.tokens_per_batch))
        self._cut = epoch, attempt, rows, np.concatenate(ends)
        return self._cut[2:]


def _ends(source: Lengths, target: Lengths, tokens_per_batch: int) -> Integers:
    """Where batches end, each as large as the budget allows; the pairs come sorted by cost."""
    ends = []
    start = 0
    while start < len(source):
        # No later pair costs less than this one, so no batch from here has more pairs than this.
        most = tokens_per_batch // int(source[start] + target[start])
        window = slice(start, start + most)
        widths = np.maximum.accumulate(source[window]) + np.maximum.accumulate(target[window])
        costs = widths * np.arange(1, len(widths) + 1)
        start += int(np.searchsorted(costs, tokens_per_batch, side="right"))
        ends.append(start)
    return np.array(ends, np.int64)


def _halved(starts: Integers, ends: Integers, number: int) -> tuple[Integers, Integers]:
    """The batches, the largest of them halved until there are as many as asked for."""
    while missing := number - len(starts):
        sizes = ends - starts
        largest = np.argsort(-sizes, kind="stable")[:missing]
        halved = np.sort(largest[sizes[largest] > 1])
        middles = (starts[halved] + ends[halved]) // 2
        starts = np.insert(starts, halved + 1, middles)
        ends = np.insert(ends, halved, middles)
    return starts, ends
