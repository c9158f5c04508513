"""The compiled search."""

from typing import Any, NamedTuple

from ._recurrent import compiled_module


class DecoderArrays(NamedTuple):
    """The weights of an attentional decoder, contiguous float32 arrays.

    Attributes:
        stack: of each layer, in PyTorch's order.
        embedding: (symbol, embedding).
        query: (key, hidden); `None` where the query is the state itself.
        energy: (key,); `None` where a score is the product of a query and a key.
        key: (key, memory); `None` where the keys are the memory itself.
        key_bias: (key,).
        from_memory: what the attentional vector takes of the context, (attentional, memory).
        from_state: what it takes of the state, (attentional, hidden).
        vocabulary: (symbol, attentional).
        vocabulary_bias: (symbol,).
    """

    stack: Any
    embedding: Any
    query: Any
    energy: Any
    key: Any
    key_bias: Any
    from_memory: Any
    from_state: Any
    vocabulary: Any
    vocabulary_bias: Any


class SourceArrays(NamedTuple):
    """What a decoder reads and where it starts.

    Attributes:
        memory: float32, (source_step, source, memory).
        lengths: int64, real steps of each source.
        hidden: float32, (layer, source, hidden).
        cell: float32, (layer, source, cell); `None` but for an LSTM.
        limits: int64, most symbols of each target.
    """

    memory: Any
    lengths: Any
    hidden: Any
    cell: Any
    limits: Any


class FoundTarget(NamedTuple):
    """A target that was found.

    Attributes:
        symbols: its ids, END included.
        score: what targets are ordered by.
        log_probability: in nats.
        weights: for each symbol those of each source step, one after another; empty unless kept.
    """

    symbols: list[int]
    score: float
    log_probability: float
    weights: list[float]


def search(
    stack: Any,
    decoder: DecoderArrays,
    sources: SourceArrays,
    *,
    beam_size: int,
    n_best: int,
    length_penalty: float,
    begin: int,
    end: int,
    never: list[int],
    keep_weights: bool,
    threads: int,
) -> list[list[FoundTarget]]:
    """The best targets of each source, best first, by a beam search.

    Args:
        stack: a `recurrent_stack` of one direction; it reads the embedding, or that and the
            attentional vector of the step before.
        decoder: its weights.
        sources: what is decoded.
        beam_size: hypotheses kept at each step.
        n_best: targets of each source, at most `beam_size`.
        length_penalty: alpha of the penalty.
        begin: the symbol read first.
        end: the symbol that ends a target.
        never: symbols that are never written.
        keep_weights: whether to keep what attention read.
        threads: to compute with.

    Raises:
        RuntimeError: there is no compiled module.
        ValueError: the arrays do not fit each other.
    """
    found = compiled_module().search(
        stack,
        *decoder,
        *sources,
        beam_size,
        n_best,
        length_penalty,
        begin,
        end,
        never,
        keep_weights,
        threads,
    )
    return [[FoundTarget(*target) for target in targets] for targets in found]
