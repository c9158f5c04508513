"""Batches of about equal cost, in an order that can be taken up anywhere."""

from collections.abc import Iterator, Sized
from typing import Any

from torch.utils.data import DataLoader, Dataset

from ..errors import TrainingError
from ._batch import Batch
from ._batch_plan import BatchPlan, BatchPlanner
from ._corpus import Corpus
from ._ragged import Array


class TokenBatches:
    """The batches of a corpus, each with as many pairs as a budget of symbols allows.

    Every epoch has each pair once and the same number of batches; `BatchPlanner` says how they
    are made. The order follows from `seed` and the epoch alone, so every process of a distributed
    run, and a run that is resumed, finds the same.

    An iteration begins with the first batch of the current epoch, or where `load_state_dict` or
    `seek` said. One that was run to its end ends the epoch: the next iteration has the next epoch.

    Args:
        corpus: where the pairs are.
        tokens_per_batch: most symbols in a batch, source and target tables with padding and END.
        seed: of the order.
        shuffle: whether the order is by chance; else pairs are only sorted within their pools.
        pool_size: pairs sorted together; more means less padding and less chance.
        rank: which of the processes this is, 0 first.
        world_size: how many processes share each epoch; all have the same number of batches.
        workers: processes that fill batches ahead; 0 fills each when it is asked for.
        pin_memory: whether batches are put into pinned memory, for copies to CUDA.

    Attributes:
        corpus: where the pairs are.
        epoch: the current epoch, 0 first.
        position: batches of it that were handed out.

    Raises:
        ValueError: a number is not possible.
        DataError: the longest pair does not fit in a batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens_per_batch: int,
        seed: int = 0,
        shuffle: bool = True,
        *,
        pool_size: int = 50_000,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank is {rank} of world_size {world_size}; it must be from 0 to world_size - 1."
            )
        if workers < 0:
            raise ValueError(f"workers is {workers}; it must be at least 0.")
        self.corpus = corpus
        self.epoch = 0
        self.position = 0
        self._planner = BatchPlanner(corpus, tokens_per_batch, seed, shuffle, pool_size, world_size)
        self._rank = rank
        self._workers = workers
        self._pin_memory = pin_memory
        self._sought = False
        self._plan: tuple[int, BatchPlan] | None = None

    def __len__(self) -> int:
        """How many batches this process has in an epoch, from the first one."""
        return self._planner.num_batches // self._planner.world_size

    def __iter__(self) -> Iterator[Batch]:
        if self.position >= len(self):
            self.seek(self.epoch + 1, 0)
        elif not self._sought:
            self.position = 0
        return self._from(self.position)

    def seek(self, epoch: int, position: int) -> None:
        """Choose where the next iteration begins.

        Args:
            epoch: 0 first.
            position: batches of it to leave out, 0 to `len(self)`.

        Raises:
            ValueError: there is no such place.
        """
        if epoch < 0 or not 0 <= position <= len(self):
            raise ValueError(
                f"batch {position} of epoch {epoch} was sought; epochs are counted from 0 and have "
                f"{len(self)} batches."
            )
        self.epoch, self.position = epoch, position
        self._sought = True

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; a place in it that was sought is kept.

        Args:
            epoch: 0 first.

        Raises:
            ValueError: `epoch` is below 0.
        """
        if epoch != self.epoch or not self._sought:
            self.seek(epoch, 0)

    def state_dict(self) -> dict[str, int | bool]:
        """The place in the epoch and what the order depends on, in plain values."""
        return {"epoch": self.epoch, "position": self.position, **self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the batch that was the last when `state_dict` was asked.

        Args:
            state: what `state_dict` gave.

        Raises:
            TrainingError: it is of other data or settings, with which the order is another.
        """
        differing = [
            f"{name} was {state.get(name)!r} and is {value!r}"
            for name, value in self._order().items()
            if state.get(name) != value
        ]
        if differing:
            raise TrainingError(
                f"the batches cannot go on where they were: {'; '.join(differing)}. Resume with "
                "the data and settings of the start, or start anew."
            )
        self.seek(int(state["epoch"]), int(state["position"]))

    def _order(self) -> dict[str, int | bool]:
        return {
            "pairs": len(self.corpus),
            "tokens_per_batch": self._planner.tokens_per_batch,
            "seed": self._planner.seed,
            "shuffle": self._planner.shuffle,
            "pool_size": self._planner.pool_size,
            "world_size": self._planner.world_size,
        }

    def _from(self, position: int) -> Iterator[Batch]:
        plan, world_size = self._current_plan(), self._planner.world_size
        picks = _Picks(plan, range(position * world_size + self._rank, len(plan), world_size))
        filled: Iterator[Batch]
        if self._workers == 0:
            filled = (Batch.of(self.corpus, rows) for rows in picks)
        else:
            filled = iter(
                DataLoader(
                    _Filler(self.corpus),
                    batch_size=None,
                    sampler=picks,
                    num_workers=self._workers,
                )
            )
        for after, batch in enumerate(filled, position + 1):
            self.position, self._sought = after, False
            yield batch.pin_memory() if self._pin_memory else batch

    def _current_plan(self) -> BatchPlan:
        if self._plan is None or self._plan[0] != self.epoch:
            self._plan = None  # so that two are never held
            self._plan = self.epoch, self._planner.plan(self.epoch)
        return self._plan[1]


class _Picks(Sized):
    """The rows of some batches of a plan, one batch after the other."""

    def __init__(self, plan: BatchPlan, indices: range) -> None:
        self._plan = plan
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Array]:
        return map(self._plan.batch, self._indices)


class _Filler(Dataset[Batch]):
    """Turns rows into a batch, in whatever process."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def __getitem__(self, rows: Array) -> Batch:
        return Batch.of(self._corpus, rows)
