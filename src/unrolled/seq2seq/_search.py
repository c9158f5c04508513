"""Greedy and beam search."""

from numbers import Integral, Real

import torch
from jaxtyping import Int
from torch import Tensor

from ._beam import Beam
from ._compiled_search import compiled_search, is_compiled_search_possible, is_readable
from ._decoder_start import decoder_start
from ._hypothesis import Hypothesis
from ._model import Seq2Seq
from ._search_error import no_end

Ids = Int[Tensor, "batch source_step"]
Lengths = Int[Tensor, " batch"]

_MOST = 2**28  # hypotheses, and symbols of a target
_MOST_PENALTY = 5  # to a higher power, the length of the longest target is no number


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
        length_penalty: alpha of `beam_search`; it orders nothing here, but is in the score.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source a list of one hypothesis.

    Raises:
        ModelError: the model gives no probabilities.
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

    At each step the live hypotheses of a source are continued by every symbol, and the
    `beam_size` continuations of the highest log-probability are kept. Those that end are put aside
    with their score; the others live on. A source is done when none lives, or when none that lives
    can still beat the n-th best of those put aside: a log-probability only falls, so the most that
    a live hypothesis can reach is what it has now over the penalty at its limit. Done sources
    leave the batch, so that a step costs what is still alive. Of equally probable continuations
    those of the better hypothesis go first, and of one hypothesis those of the lowest symbol.

    A target of n symbols, END included, is ordered by

        score = log P / ((5 + n) / 6) ** alpha

    Source: Wu et al. (2016), "Google's neural machine translation system", equation 14, without
    coverage. PAD, BEGIN and UNKNOWN are never written.

    Args:
        model: the encoder-decoder, in evaluation mode.
        source: source ids, PAD behind, (batch, source_step).
        source_lengths: real symbols of each source.
        limits: most symbols of each target; after that many, END is the only choice. What is found
            for a source depends on its own limit only.
        beam_size: hypotheses kept at each step; 1 is greedy search.
        n_best: hypotheses returned, at most `beam_size`.
        length_penalty: alpha; 0 compares plain log-probabilities, more favours longer targets.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source its best hypotheses, best first; fewer than `n_best` only where the limit
        leaves no more targets.

    Raises:
        ModelError: the model gives no probabilities.
        ValueError: a length does not fit, or a number is not possible.
    """
    check_search(beam_size, n_best, length_penalty)
    _check_limits(limits, source_lengths)
    if len(limits) == 0:
        return []
    start = None
    if is_compiled_search_possible(model):
        start = decoder_start(model.encoder, model.bridge, source, source_lengths)
    if start is not None and is_readable(start):
        found = compiled_search(
            model.decoder,
            start,
            limits,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            attention=attention,
        )
    else:
        beam = Beam(
            model.start(source, source_lengths) if start is None else model.decoder.start(*start),
            limits.to(source.device),
            size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            keep_attention=attention,
        )
        while beam.is_alive:
            logits, weights, state = model.decoder.step(beam.last_symbols, beam.state)
            beam.advance(logits, weights, state)
        found = beam.found()
    for number, hypotheses in enumerate(found):
        if not hypotheses:
            raise no_end(number)
    return found


def check_search(beam_size: int, n_best: int, length_penalty: float) -> None:
    """Refuse a search that cannot be.

    Args:
        beam_size: hypotheses kept.
        n_best: hypotheses wanted.
        length_penalty: alpha.

    Raises:
        ValueError: a number is not possible.
    """
    for name, number, most, so_many in (
        ("beam_size", beam_size, _MOST, str(_MOST)),
        ("n_best", n_best, beam_size, f"beam_size={beam_size}"),
    ):
        is_whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not (is_whole and 1 <= number <= most):
            raise ValueError(
                f"{name} is {number!r}; it must be a whole number from 1 to {so_many}."
            )
    if not (isinstance(length_penalty, Real) and 0 <= length_penalty <= _MOST_PENALTY):
        raise ValueError(
            f"length_penalty is {length_penalty!r}; it must be between 0 and {_MOST_PENALTY}."
        )


def _check_limits(limits: Lengths, source_lengths: Lengths) -> None:
    if limits.shape != source_lengths.shape:
        raise ValueError(
            f"limits has shape {tuple(limits.shape)}, but there are {len(source_lengths)} sources; "
            "pass one limit for each."
        )
    if limits.is_floating_point() or limits.is_complex() or limits.dtype == torch.bool:
        raise ValueError(f"limits are {limits.dtype}; they count symbols, so pass integers.")
    if len(limits) == 0:
        return
    for limit in (int(limits.min()), int(limits.max())):
        if not 0 <= limit <= _MOST:
            raise ValueError(f"a limit is {limit}; each must be from 0 to {_MOST}.")
