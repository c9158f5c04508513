"""Batches of a token budget, sorted by length."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ._batch import Batch
from ._corpus import Corpus


class TokenBatches:
    """The batches of a corpus, epoch after epoch, the same for the same seed.

    Pairs of equal lengths stand in random order, batches are cut from all pairs sorted by length,
    and the batches come in random order; so hardly anything is padding. The lengths in a batch are
    the same in every epoch, and so is the number of batches.

    It knows where it stands: `state_dict` in mid-epoch and `load_state_dict` elsewhere go on with
    the very next batch.

    Args:
        corpus: the pairs.
        tokens_per_batch: most symbols of a batch, source and target and padding together; a single
            pair may be larger.
        seed: of all chance.
        shuffle: whether there is any; without it batches come from short to long.
        rank: which part this process takes, of `world_size` parts.
        world_size: processes that share the epoch. All get the same number of batches; where it
            does not divide, the first batches are given twice.

    Raises:
        ValueError: a number is not possible.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokens_per_batch: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if tokens_per_batch < 1:
            raise ValueError(f"tokens_per_batch is {tokens_per_batch}; it must be 1 or more.")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank is {rank}; it must be from 0 to world_size - 1.")
        self.corpus = corpus
        self.seed = seed
        self.shuffle = shuffle
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.position = 0
        source_lengths, target_lengths = corpus.source.lengths, corpus.target.lengths
        self._key = (source_lengths * (target_lengths.max() + 1) + target_lengths).astype(
            np.int32 if source_lengths.max() * (target_lengths.max() + 2) < 2**31 else np.int64
        )
        order = np.argsort(self._key, kind="stable")
        self._bounds = _cut(source_lengths[order], target_lengths[order] + 1, tokens_per_batch)

    def __len__(self) -> int:
        """Batches of this process in an epoch."""
        return -(-self._num_batches // self.world_size)

    @property
    def _num_batches(self) -> int:
        return len(self._bounds) - 1

    def __iter__(self) -> Iterator[Batch]:
        """The rest of this epoch; then the next one begins."""
        order, batches = self._plan()
        while self.position < len(self):
            number = batches[(self.rank + self.position * self.world_size) % self._num_batches]
            self.position += 1
            indices = order[self._bounds[number] : self._bounds[number + 1]]
            yield Batch.of(self.corpus, indices)
        self.epoch, self.position = self.epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch.

        Args:
            epoch: from 0.
        """
        self.epoch, self.position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Where it stands."""
        return {"epoch": self.epoch, "position": self.position, "pairs": len(self.corpus)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to where another stood.

        Args:
            state: as `state_dict` gave it.

        Raises:
            ValueError: it is of a corpus of another size.
        """
        if state["pairs"] != len(self.corpus):
            raise ValueError(
                f"the state is of a corpus of {state['pairs']} pairs, but this one has "
                f"{len(self.corpus)}; go on with the same data."
            )
        self.epoch, self.position = state["epoch"], state["position"]

    def _plan(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The order of the pairs and of the batches in this epoch."""
        if not self.shuffle:
            return np.argsort(self._key, kind="stable"), np.arange(self._num_batches)
        chance = np.random.default_rng([self.seed, self.epoch])
        mixed = chance.permutation(len(self.corpus))
        order = mixed[np.argsort(self._key[mixed], kind="stable")]
        return order, chance.permutation(self._num_batches)


def _cut(
    source_lengths: npt.NDArray[np.int64], target_lengths: npt.NDArray[np.int64], budget: int
) -> npt.NDArray[np.int64]:
    """Where batches begin, and the end of the last, in pairs sorted by source length."""
    bounds = [0]
    while (begin := bounds[-1]) < len(source_lengths):
        most = budget // int(source_lengths[begin] + 1)  # a target has one step at least
        end = begin + max(1, most)
        longest_target = np.maximum.accumulate(target_lengths[begin:end])
        padded = (source_lengths[begin:end] + longest_target) * np.arange(
            1, len(longest_target) + 1
        )
        bounds.append(begin + max(1, int(np.searchsorted(padded, budget, side="right"))))
    return np.asarray(bounds, dtype=np.int64)
