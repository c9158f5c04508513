"""Greedy and beam search."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ._decoder_state import DecoderState
from ._hypothesis import Hypothesis
from ._model import Seq2Seq
from ._special import BEGIN, END, PAD, UNKNOWN

Ids = Int[Tensor, "batch source_step"]
Lengths = Int[Tensor, " batch"]


def greedy_search(
    model: Seq2Seq,
    source: Ids,
    source_lengths: Lengths,
    limits: Lengths,
    *,
    length_penalty: float = 0.0,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    """The most probable symbol at every step: a beam search with a beam of one.

    Args:
        model: the encoder-decoder, in evaluation mode.
        source: source ids, PAD behind, (batch, source_step).
        source_lengths: real symbols of each source.
        limits: most symbols of each target; after that many, END is the only choice.
        length_penalty: alpha of `beam_search`.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source a list of one hypothesis.

    Raises:
        ValueError: a length does not fit.
    """
    return beam_search(
        model,
        source,
        source_lengths,
        limits,
        beam_size=1,
        length_penalty=length_penalty,
        attention=attention,
    )


@torch.inference_mode()
def beam_search(
    model: Seq2Seq,
    source: Ids,
    source_lengths: Lengths,
    limits: Lengths,
    *,
    beam_size: int = 5,
    n_best: int = 1,
    length_penalty: float = 0.0,
    attention: bool = False,
) -> list[list[Hypothesis]]:
    """The best targets that a beam finds, all sources and all hypotheses of a step at once.

    A hypothesis that ends leaves the beam, which shrinks by one. A source is done when its beam is
    empty, or when no live hypothesis can still beat its n-th best ended one. A hypothesis of
    length n (END included) is ordered by

        score = log P / ((5 + n) / 6) ** alpha

    Source: Wu et al. (2016), "Google's neural machine translation system", equation 14, without
    coverage; the shrinking beam is that of Sutskever et al. (2014), section 3.2. PAD, BEGIN and
    UNKNOWN are never written.

    Args:
        model: the encoder-decoder, in evaluation mode.
        source: source ids, PAD behind, (batch, source_step).
        source_lengths: real symbols of each source.
        limits: most symbols of each target; after that many, END is the only choice. What is found
            for a source depends on its own limit only.
        beam_size: hypotheses kept at each step.
        n_best: hypotheses returned, at most `beam_size`.
        length_penalty: alpha; 0 compares plain log-probabilities, more favours longer targets.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source its best hypotheses, best first.

    Raises:
        ValueError: a length does not fit, or a number is not possible.
    """
    if not 1 <= n_best <= beam_size:
        raise ValueError(f"n_best is {n_best}; it must be from 1 to beam_size={beam_size}.")
    if length_penalty < 0:
        raise ValueError(f"length_penalty is {length_penalty}; it must be 0 or more.")
    if source.shape[0] == 0:
        return []
    state = model.start(source, source_lengths)
    state = state.select_recurrent(
        torch.arange(source.shape[0], device=source.device).repeat_interleave(beam_size)
    )
    beam = _Beam.start(state, limits.to(source.device), beam_size, attention)
    ended: list[list[Hypothesis]] = [[] for _ in range(source.shape[0])]
    while beam.rows:
        _advance(model, beam)
        for sample, hypothesis in _take_ended(beam, length_penalty):
            ended[sample].append(hypothesis)
        _drop_done(beam, ended, n_best, length_penalty)
    return [sorted(found, key=lambda hypothesis: -hypothesis.score)[:n_best] for found in ended]


@dataclass
class _Beam:
    """The live hypotheses of the sources that are not done, `size` rows to a source.

    A row without a hypothesis has a log-probability of minus infinity.
    """

    state: DecoderState
    samples: Tensor  # sample number of each source still in the beam
    limits: Tensor  # most symbols of each
    log_probabilities: Tensor  # source, beam
    symbols: Tensor  # source, beam, step: what was written so far
    weights: list[Tensor] = field(default_factory=list)  # per step: source, beam, source_step
    size: int = 1
    keep_attention: bool = False

    @classmethod
    def start(cls, state: DecoderState, limits: Tensor, size: int, attention: bool) -> "_Beam":
        count = limits.shape[0]
        log_probabilities = state.memory.new_full((count, size), -torch.inf)
        log_probabilities[:, 0] = 0.0
        return cls(
            state,
            torch.arange(count, device=limits.device),
            limits,
            log_probabilities,
            limits.new_empty((count, size, 0)),
            size=size,
            keep_attention=attention,
        )

    @property
    def rows(self) -> int:
        return len(self.samples)


def _advance(model: Seq2Seq, beam: _Beam) -> None:
    """Write one more symbol onto the best hypotheses of each source."""
    count, step = beam.rows, beam.symbols.shape[2]
    last = (
        beam.symbols[:, :, -1].reshape(-1)
        if step
        else beam.limits.new_full((count * beam.size,), BEGIN)
    )
    logits, weights, state = model.decoder.step(last, beam.state)
    scores = _next_scores(logits, beam, at_limit=beam.limits <= step)
    vocabulary = scores.shape[2]
    best, flat = scores.flatten(1).topk(min(beam.size, beam.size * vocabulary), dim=1)
    parent = flat // vocabulary
    rows = (parent + torch.arange(count, device=parent.device)[:, None] * beam.size).reshape(-1)
    beam.state = state if beam.size == 1 else state.select_recurrent(rows)
    beam.log_probabilities = best
    written = beam.symbols.reshape(count * beam.size, step)[rows]
    chosen = (flat % vocabulary).reshape(-1, 1)
    beam.symbols = torch.cat([written, chosen], dim=1).reshape(count, beam.size, step + 1)
    if beam.keep_attention:
        beam.weights = [_by_row(kept, rows) for kept in beam.weights]
        beam.weights.append(_by_row(weights.reshape(count, beam.size, -1), rows))


def _next_scores(
    logits: Float[Tensor, "row vocab"], beam: _Beam, at_limit: Tensor
) -> Float[Tensor, "source beam vocab"]:
    log_probabilities = logits.log_softmax(dim=-1).reshape(beam.rows, beam.size, -1)
    log_probabilities[:, :, [PAD, BEGIN, UNKNOWN]] = -torch.inf
    if bool(at_limit.any()):
        end = log_probabilities[:, :, END].clone()
        log_probabilities.masked_fill_(at_limit[:, None, None], -torch.inf)
        log_probabilities[:, :, END] = end
    return log_probabilities + beam.log_probabilities[:, :, None]


def _take_ended(beam: _Beam, alpha: float) -> list[tuple[int, Hypothesis]]:
    """Take the hypotheses that just ended out of the beam."""
    is_ended = (beam.symbols[:, :, -1] == END) & (beam.log_probabilities > -torch.inf)
    where = is_ended.nonzero()
    if not len(where):
        return []
    source, row = where.unbind(1)
    symbols = beam.symbols[source, row, :-1].tolist()
    log_probabilities = beam.log_probabilities[source, row].tolist()
    penalty = _penalty(beam.symbols.shape[2], alpha)
    attention: list[Tensor | None] = [None] * len(symbols)
    if beam.keep_attention:
        stacked = torch.stack([kept[source, row] for kept in beam.weights], dim=1)
        lengths = beam.state.mask[source].sum(dim=1).tolist()
        attention = [rows[:, :length] for rows, length in zip(stacked, lengths, strict=True)]
    beam.log_probabilities = beam.log_probabilities.masked_fill(is_ended, -torch.inf)
    return [
        (sample, Hypothesis(ids, log_probability / penalty, log_probability, read))
        for sample, ids, log_probability, read in zip(
            beam.samples[source].tolist(), symbols, log_probabilities, attention, strict=True
        )
    ]


def _drop_done(beam: _Beam, ended: list[list[Hypothesis]], n_best: int, alpha: float) -> None:
    """Let the sources go whose result is known."""
    best_live = beam.log_probabilities.max(dim=1).values
    if alpha:
        # A longer target is divided by more, so the most that a live one can reach is at its limit.
        best_live = best_live / ((5 + beam.limits + 1) / 6) ** alpha
    keep = []
    for place, (sample, reachable) in enumerate(
        zip(beam.samples.tolist(), best_live.tolist(), strict=True)
    ):
        found = ended[sample]
        enough = len(found) >= n_best
        bar = sorted((hypothesis.score for hypothesis in found), reverse=True)[n_best - 1 : n_best]
        if reachable > -torch.inf and not (enough and bar[0] >= reachable):
            keep.append(place)
    if len(keep) == beam.rows:
        return
    places = torch.tensor(keep, dtype=torch.long, device=beam.samples.device)
    rows = (places[:, None] * beam.size + torch.arange(beam.size, device=places.device)).flatten()
    recurrent = beam.state.select_recurrent(rows)
    beam.state = recurrent._replace(
        memory=recurrent.memory[places], keys=recurrent.keys[places], mask=recurrent.mask[places]
    )
    beam.samples, beam.limits = beam.samples[places], beam.limits[places]
    beam.log_probabilities, beam.symbols = beam.log_probabilities[places], beam.symbols[places]
    beam.weights = [kept[places] for kept in beam.weights]


def _by_row(values: Tensor, rows: Tensor) -> Tensor:
    return values.flatten(0, 1)[rows].reshape(values.shape)


def _penalty(length: int, alpha: float) -> float:
    return float(((5 + length) / 6) ** alpha)
