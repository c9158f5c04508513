"""The compiled search."""

from typing import Any, NamedTuple

import numpy as np

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


class FoundHypothesis(NamedTuple):
    """A hypothesis that has ended.

    Attributes:
        symbols: its ids, END included.
        score: what hypotheses are ordered by.
        log_probability: in nats.
        attention: float32, (symbol, source_step), of the real steps; `None` unless kept.
    """

    symbols: list[int]
    score: float
    log_probability: float
    attention: np.ndarray | None


class NoProbabilitiesError(ArithmeticError):
    """What a decoder says of the next symbol is not a number.

    Attributes:
        source: whose hypothesis it is.
        step: the target step.
    """

    def __init__(self, source: int, step: int) -> None:
        super().__init__(
            f"the probabilities of source {source} at target step {step} are not numbers; "
            "a weight or a state is NaN or infinite."
        )
        self.source, self.step = source, step

    def __reduce__(self) -> tuple[type["NoProbabilitiesError"], tuple[int, int]]:
        return type(self), (self.source, self.step)


def decoder_packs() -> Any:
    """Room for the packed weights of a decoder, kept from one search to the next."""
    return compiled_module().DecoderPacks()


def search(
    stack: Any,
    packs: Any,
    decoder: DecoderArrays,
    sources: SourceArrays,
    *,
    feeds_input: bool,
    beam_size: int,
    n_best: int,
    length_penalty: float,
    begin: int,
    end: int,
    never: list[int],
    keep_weights: bool,
    threads: int,
) -> list[list[FoundHypothesis]]:
    """The best hypotheses of each source, best first, by a beam search.

    Ctrl-C is heard while it lasts, as between two lines of Python.

    Args:
        stack: a `recurrent_stack` of one direction, in float32.
        packs: the `decoder_packs` of the decoder; what was packed of other weights is packed anew.
        decoder: its weights.
        sources: what is decoded.
        feeds_input: whether the stack reads the attentional vector of the step before behind the
            embedding, or the embedding alone.
        beam_size: hypotheses kept at each step.
        n_best: hypotheses returned of each source, at most `beam_size`.
        length_penalty: alpha of the penalty, 0 or more.
        begin: the symbol read first.
        end: the symbol that ends a target.
        never: symbols that are never written.
        keep_weights: whether to keep what attention read.
        threads: to compute with.

    Raises:
        IndexError: a symbol is none of the embedding.
        NoProbabilitiesError: the probabilities of a hypothesis are not numbers.
        RuntimeError: there is no compiled module.
        ValueError: the arrays do not fit each other, or a number is not possible.
    """
    found, failure = compiled_module().search(
        stack,
        packs,
        *decoder,
        *sources,
        feeds_input,
        beam_size,
        n_best,
        length_penalty,
        begin,
        end,
        never,
        keep_weights,
        threads,
    )
    if failure is not None:
        raise NoProbabilitiesError(*failure)
    return [[FoundHypothesis(*one) for one in hypotheses] for hypotheses in found]
