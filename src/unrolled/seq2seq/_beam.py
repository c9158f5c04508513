"""The hypotheses of a search."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ._decoder_state import DecoderState
from ._hypothesis import Hypothesis
from ._search_error import no_probabilities
from ._special import BEGIN, END, PAD, UNKNOWN, check_special_fit

_WORTH_LEAVING = 0.9  # share of the sources that go on


class _Ended(NamedTuple):
    """The hypotheses that ended at one step, a row for each; the last symbol of each is END."""

    sources: Int[Tensor, " row"]
    scores: Float[Tensor, " row"]
    log_probabilities: Float[Tensor, " row"]
    symbols: Int[Tensor, "row target_step"]
    trail: Int[Tensor, "row target_step"] | None


class Beam:
    """The live hypotheses of every source that is not done, and those that ended.

    There is one place for each of the hypotheses of a source, and as many for each source: one
    before the first step, then `size`. A place whose log-probability is minus infinity is empty.

    Of continuations that are equally probable, those of the first place go first, and of one place
    those of the lowest symbol.

    Args:
        state: where the decoder stands before the first step, one row for each source.
        limits: most symbols of each target.
        size: hypotheses kept of each source.
        n_best: hypotheses wanted of each source.
        length_penalty: alpha of `beam_search`.
        keep_attention: whether the hypotheses found get their attention.
    """

    def __init__(
        self,
        state: DecoderState,
        limits: Int[Tensor, " batch"],
        *,
        size: int,
        n_best: int,
        length_penalty: float,
        keep_attention: bool,
    ) -> None:
        count, device = len(limits), limits.device
        self.state = state
        self._size, self._n_best, self._length_penalty = size, n_best, length_penalty
        self._keep_attention = keep_attention
        self._limits = limits
        self._first_limit = int(limits.min())
        self._source_lengths = state.mask.sum(dim=1).tolist() if keep_attention else []
        self._sources = torch.arange(count, device=device)
        # The done wait among the others until they are worth leaving.
        self._is_going_on = torch.ones(count, dtype=torch.bool, device=device)
        self._log_probabilities = state.memory.new_zeros(count, 1)
        self._symbols = torch.empty(count, 1, 0, dtype=torch.long, device=device)
        # Scores of the n best that ended, worst last; of every source, done or not.
        self._best_ended = state.memory.new_full((count, n_best), -torch.inf)
        self._ended: list[_Ended] = []
        # Attention is kept where it was computed, step by step; a hypothesis has the trail of rows.
        self._weights: list[Tensor] = []
        self._trail = self._symbols if keep_attention else None

    @property
    def is_alive(self) -> bool:
        """Whether a source is left."""
        return len(self._sources) > 0

    @property
    def last_symbols(self) -> Int[Tensor, " row"]:
        """What each live hypothesis wrote last, to be read by the decoder; BEGIN at first."""
        rows = self._log_probabilities.numel()
        if self._symbols.shape[2] == 0:
            return self._symbols.new_full((rows,), BEGIN)
        return self._symbols[:, :, -1].reshape(rows)

    def advance(
        self,
        logits: Float[Tensor, "row vocab"],
        weights: Float[Tensor, "row source_step"],
        state: DecoderState,
    ) -> None:
        """Continue every live hypothesis by one symbol.

        Args:
            logits: what the decoder says of the next symbol.
            weights: what it read.
            state: where it stands now.

        Raises:
            ModelError: the probabilities of a hypothesis are not numbers.
            ValueError: the vocabulary lacks a special symbol.
        """
        check_special_fit(logits.shape[1])
        scores = self._continuations(logits)
        count, places, vocabulary = scores.shape
        kept = min(self._size, places * vocabulary)
        self._log_probabilities, flat = _highest(scores.flatten(1), kept)
        self._check_probabilities()
        first = torch.arange(count, device=flat.device)[:, None] * places
        rows = (first + flat // vocabulary).flatten()
        self.state = state if kept == places == 1 else state.select_recurrent(rows)
        self._symbols = _written(self._symbols, rows, flat % vocabulary)
        if self._trail is not None:
            self._weights.append(weights)
            self._trail = _written(self._trail, rows, rows.reshape(count, kept))
        self._put_ended_aside()
        self._drop_done()

    def found(self) -> list[list[Hypothesis]]:
        """The best hypotheses of each source, best first; none without probabilities."""
        best: list[list[tuple[float, float, int, int]]] = [[] for _ in self._best_ended]
        for step, ended in enumerate(self._ended):
            columns = (ended.sources, ended.scores, ended.log_probabilities)
            values = zip(*(column.tolist() for column in columns), strict=True)
            for row, (source, score, log_probability) in enumerate(values):
                best[source].append((score, log_probability, step, row))
        for candidates in best:
            candidates.sort(key=lambda candidate: -candidate[0])
        return [
            [self._hypothesis(source, *candidate) for candidate in candidates[: self._n_best]]
            for source, candidates in enumerate(best)
        ]

    def _continuations(
        self, logits: Float[Tensor, "row vocab"]
    ) -> Float[Tensor, "source place vocab"]:
        """The log-probability of every hypothesis continued by every symbol."""
        count, places = self._log_probabilities.shape
        scores = logits.log_softmax(dim=-1).reshape(count, places, -1)
        scores[:, :, [PAD, BEGIN, UNKNOWN]] = -torch.inf
        step = self._symbols.shape[2]
        if step >= self._first_limit:
            others = torch.arange(scores.shape[2], device=scores.device) != END
            at_limit = self._limits <= step
            scores.masked_fill_(at_limit[:, None, None] & others, -torch.inf)
        scores.add_(self._log_probabilities[:, :, None])
        # An empty place read some symbol or other, so what follows it may be no number.
        return scores.masked_fill_((self._log_probabilities == -torch.inf)[:, :, None], -torch.inf)

    def _check_probabilities(self) -> None:
        # NaN counts as the highest.
        failed = (self._log_probabilities[:, 0].isnan() & self._is_going_on).nonzero()
        if len(failed) > 0:
            raise no_probabilities(int(self._sources[failed[0]]), self._symbols.shape[2])

    def _put_ended_aside(self) -> None:
        is_ended = (self._symbols[:, :, -1] == END) & (self._log_probabilities > -torch.inf)
        source, place = is_ended.nonzero(as_tuple=True)
        if len(source) == 0:
            return
        log_probabilities = self._log_probabilities[source, place]
        scores = log_probabilities / self._penalty(self._symbols.shape[2])
        trail = None if self._trail is None else self._trail[source, place]
        self._ended.append(
            _Ended(
                self._sources[source],
                scores,
                log_probabilities,
                self._symbols[source, place],
                trail,
            )
        )
        by_place = torch.full_like(self._log_probabilities, -torch.inf)
        by_place[source, place] = scores
        so_far = torch.cat([self._best_ended[self._sources], by_place], dim=1)
        self._best_ended[self._sources] = so_far.topk(self._n_best, dim=1).values
        self._log_probabilities = self._log_probabilities.masked_fill(is_ended, -torch.inf)

    def _drop_done(self) -> None:
        reachable = self._log_probabilities.amax(dim=1)
        if self._length_penalty:
            reachable = reachable / ((5 + self._limits + 1) / 6) ** self._length_penalty
        # NaN is above nothing, so what was done stays so.
        self._is_going_on = reachable > self._best_ended[self._sources, -1]
        places = self._is_going_on.nonzero().squeeze(1)
        # Leaving costs a copy of what the others read, so the done wait until they are a few.
        if len(places) > _WORTH_LEAVING * len(self._sources):
            return
        self.state = self.state.select(places)
        self._sources, self._limits = self._sources[places], self._limits[places]
        self._is_going_on = self._is_going_on[places]
        self._log_probabilities = self._log_probabilities[places]
        self._symbols = self._symbols[places]
        if self._trail is not None:
            self._trail = self._trail[places]

    def _penalty(self, length: int) -> float:
        return float(((5 + length) / 6) ** self._length_penalty)

    def _hypothesis(
        self, source: int, score: float, log_probability: float, step: int, row: int
    ) -> Hypothesis:
        ended = self._ended[step]
        attention = None
        if ended.trail is not None:
            trail = ended.trail[row].tolist()
            read = [weights[at] for weights, at in zip(self._weights, trail, strict=False)]
            attention = torch.stack(read)[:, : self._source_lengths[source]]
        return Hypothesis(ended.symbols[row, :-1].tolist(), score, log_probability, attention)


def _highest(
    scores: Float[Tensor, "source continuation"], count: int
) -> tuple[Float[Tensor, "source kept"], Int[Tensor, "source kept"]]:
    """The highest of each source and their places, best first; of equals the first goes first."""
    values, places = scores.topk(min(count + 1, scores.shape[1]), dim=1)
    # Which of several equals topk takes, and in which order, is not defined.
    last, next_best = values[:, count - 1 : count], values[:, count:]
    if bool(((next_best == last) & (last > -torch.inf)).any()):
        values, places = scores.sort(dim=1, descending=True, stable=True)
        return values[:, :count], places[:, :count]
    places = places[:, :count].sort(dim=1).values
    values, order = scores.gather(1, places).sort(dim=1, descending=True, stable=True)
    return values, places.gather(1, order)


def _written(
    written: Int[Tensor, "source place step"],
    rows: Int[Tensor, " row"],
    more: Int[Tensor, "source kept"],
) -> Int[Tensor, "source kept next_step"]:
    """What was written on the rows chosen, and one symbol more on each."""
    before = written.flatten(0, 1)[rows].reshape(*more.shape, -1)
    return torch.cat([before, more[:, :, None]], dim=2)
