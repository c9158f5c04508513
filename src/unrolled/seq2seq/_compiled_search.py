"""The search that the kernels do as a whole."""

import weakref
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..kernels import DecoderArrays, SourceArrays, recurrent_stack, search
from ..nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    may_call_kernels,
)
from ._decoder import AttentionDecoder
from ._hypothesis import Hypothesis
from ._model import Seq2Seq
from ._special import BEGIN, END, PAD, UNKNOWN

_LAYERS = (RNN, GRU, LSTM)
_ATTENTIONS = (AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention)
# A compiled stack keeps its packed weights, and sees at each run whether they are still the same.
_STACKS: "weakref.WeakKeyDictionary[nn.Module, Any]" = weakref.WeakKeyDictionary()


def is_compiled_search_possible(model: Seq2Seq) -> bool:
    """Whether the decoder is one that the kernels know, and nobody looks into it while it runs.

    Somebody's own attention, a replaced part, a hook, dropout, another type or device, gradients
    that are recorded: then a search goes step by step through the modules.

    Args:
        model: the encoder-decoder.
    """
    decoder = model.decoder
    known = (
        (decoder, (AttentionDecoder,)),
        (decoder.layer, _LAYERS),
        (decoder.attention, _ATTENTIONS),
        (decoder.embedding, (nn.Embedding,)),
        (decoder.combine, (nn.Linear,)),
        (decoder.vocabulary, (nn.Linear,)),
    )
    if any(type(module) not in kinds for module, kinds in known):
        return False
    if any(part._forward_hooks or part._forward_pre_hooks for part in decoder.modules()):
        return False
    drops = decoder.training and (decoder.dropout.p or decoder.layer.dropout)
    clips = decoder.embedding.max_norm is not None
    return not drops and not clips and may_call_kernels(list(decoder.parameters()))


@torch.inference_mode()
def compiled_search(
    model: Seq2Seq,
    source: Int[Tensor, "batch source_step"],
    source_lengths: Int[Tensor, " batch"],
    limits: Int[Tensor, " batch"],
    *,
    beam_size: int,
    n_best: int,
    length_penalty: float,
    attention: bool,
) -> list[list[Hypothesis]]:
    """What `beam_search` finds, in one call of the kernels.

    Args:
        model: the encoder-decoder, one of which `is_compiled_search_possible`.
        source: source ids, PAD behind.
        source_lengths: real symbols of each source.
        limits: most symbols of each target.
        beam_size: hypotheses kept at each step.
        n_best: hypotheses returned.
        length_penalty: alpha.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source its best hypotheses; none where its probabilities are no numbers.

    Raises:
        ValueError: a length does not fit.
    """
    encoded = model.encoder(source, source_lengths)
    hidden, cell = model.bridge(encoded.hidden_state, encoded.cell_state)
    decoder, lengths = model.decoder, source_lengths.to(torch.int64).contiguous()
    if decoder not in _STACKS:
        _STACKS[decoder] = recurrent_stack(decoder.shape)
    found = search(
        _STACKS[decoder],
        _arrays(decoder),
        SourceArrays(
            _rows_side_by_side(encoded.memory).transpose(0, 1),
            lengths,
            hidden.contiguous(),
            None if cell is None else cell.contiguous(),
            limits.to(torch.int64).contiguous(),
        ),
        beam_size=beam_size,
        n_best=n_best,
        length_penalty=length_penalty,
        begin=BEGIN,
        end=END,
        never=[PAD, BEGIN, UNKNOWN],
        keep_weights=attention,
        threads=torch.get_num_threads(),
    )
    return [
        [
            Hypothesis(
                target.symbols[:-1],
                target.score,
                target.log_probability,
                torch.tensor(target.weights).reshape(-1, length) if attention else None,
            )
            for target in targets
        ]
        for targets, length in zip(found, lengths.tolist(), strict=True)
    ]


def _arrays(decoder: AttentionDecoder) -> DecoderArrays:
    attention = decoder.attention
    query = energy = key = key_bias = None
    if isinstance(attention, AdditiveAttention):
        query, key = attention.query.weight, attention.key.weight
        energy = attention.energy.weight
    elif isinstance(attention, ConcatAttention):
        both = attention.both.weight
        query, key = both[:, : attention.query_size], both[:, attention.query_size :]
        key_bias, energy = attention.both.bias, attention.energy.weight
    elif isinstance(attention, GeneralAttention):
        key = attention.key.weight
    return DecoderArrays(
        [[_array(weight) for weight in row] for row in decoder.layer.all_weights],
        _array(decoder.embedding.weight),
        None if query is None else _array(query),
        None if energy is None else _array(energy).reshape(-1),
        None if key is None else _array(key),
        None if key_bias is None else _array(key_bias),
        _array(decoder.combine.weight[:, : decoder.memory_size]),
        _array(decoder.combine.weight[:, decoder.memory_size :]),
        _array(decoder.vocabulary.weight),
        _array(decoder.vocabulary.bias),
    )


def _array(weight: Tensor) -> Tensor:
    return weight.detach().contiguous()


def _rows_side_by_side(memory: Tensor) -> Tensor:
    return memory if memory.stride(-1) == 1 or memory.shape[-1] == 1 else memory.contiguous()
