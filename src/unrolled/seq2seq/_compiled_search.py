"""The search that the kernels do as a whole."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..kernels import (
    DecoderArrays,
    NoProbabilitiesError,
    SourceArrays,
    decoder_packs,
    search,
)
from ..nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    is_watched,
    may_call_kernels,
    stack_of,
)
from ._decoder import AttentionDecoder
from ._decoder_start import DecoderStart
from ._hypothesis import Hypothesis
from ._model import Seq2Seq
from ._search_error import no_probabilities
from ._special import BEGIN, END, PAD, UNKNOWN, check_special_fit

_LAYERS = (RNN, GRU, LSTM)
# Every attention that the kernels know, its products, and which of them have a bias.
_ATTENTIONS: dict[type[nn.Module], dict[str, bool]] = {
    AdditiveAttention: {"query": False, "key": False, "energy": False},
    ConcatAttention: {"both": True, "energy": False},
    DotAttention: {},
    GeneralAttention: {"key": False},
}
# What was packed of the weights of each decoder, as long as it lives. Whether they are still the
# same, the kernels see for themselves at every search.
_PACKS: WeakKeyDictionary[AttentionDecoder, Any] = WeakKeyDictionary()


def is_compiled_search_possible(model: Seq2Seq) -> bool:
    """Whether the decoder is one that the kernels know, and nobody looks into it while it runs.

    Somebody's own attention, a replaced part, a method put on one, a hook, dropout, another type
    or device, another engine: then a search goes step by step through the modules.

    Args:
        model: the encoder-decoder.
    """
    decoder = model.decoder
    if not may_call_kernels(list(decoder.parameters())):
        return False
    if type(model).start is not Seq2Seq.start or "start" in vars(model):
        return False
    parts = dict(decoder.named_modules(remove_duplicate=False))
    products = _ATTENTIONS.get(type(decoder.attention))
    if type(decoder) is not AttentionDecoder or products is None:
        return False
    biased = {f"attention.{name}": has for name, has in products.items()}
    biased |= {"combine": False, "vocabulary": True}
    if parts.keys() != {"", "attention", "layer", "embedding", "dropout", *biased}:
        return False
    if any(map(is_watched, parts.values())):
        return False
    return (
        all(_is_product(parts[name], has_bias) for name, has_bias in biased.items())
        and _is_plain_layer(parts["layer"])
        and _is_plain_embedding(parts["embedding"])
        and _drops_nothing(parts["dropout"])
        # The kernels read every symbol that they write.
        and decoder.vocabulary.weight.shape[0] == decoder.embedding.weight.shape[0]
    )


def is_readable(start: DecoderStart) -> bool:
    """Whether the kernels can read what an encoder and a bridge gave.

    An encoder of somebody's own may hide any step; the kernels read the first steps of a source.

    Args:
        start: what they gave.
    """
    mask = start.mask
    tensors = [start.memory, start.hidden] + ([] if start.cell is None else [start.cell])
    if not may_call_kernels(tensors) or mask.shape != start.memory.shape[:2]:
        return False
    lengths = mask.sum(dim=1, keepdim=True)
    first = torch.arange(mask.shape[1], device=mask.device) < lengths
    return bool((lengths > 0).all()) and torch.equal(mask, first)


@torch.inference_mode()
def compiled_search(
    decoder: AttentionDecoder,
    start: DecoderStart,
    limits: Int[Tensor, " batch"],
    *,
    beam_size: int,
    n_best: int,
    length_penalty: float,
    attention: bool,
) -> list[list[Hypothesis]]:
    """What `beam_search` finds, in one call of the kernels.

    Args:
        decoder: of a model whose `is_compiled_search_possible`.
        start: where it starts, and what it reads; `is_readable`.
        limits: most symbols of each target.
        beam_size: hypotheses kept at each step.
        n_best: hypotheses returned.
        length_penalty: alpha.
        attention: whether to keep the attention of each hypothesis.

    Returns:
        For each source its best hypotheses.

    Raises:
        ModelError: the model gives no probabilities.
        ValueError: a length does not fit, or the vocabulary lacks a special symbol.
    """
    check_special_fit(decoder.vocabulary.out_features)
    try:
        found = search(
            stack_of(decoder.shape, decoder.layer.all_weights[0]).compiled,
            _PACKS.setdefault(decoder, decoder_packs()),
            _arrays(decoder),
            SourceArrays(
                _rows_side_by_side(start.memory).transpose(0, 1).numpy(),
                start.mask.sum(dim=1).numpy(),
                _array(start.hidden),
                None if start.cell is None else _array(start.cell),
                _array(limits.to("cpu", torch.int64)),
            ),
            feeds_input=decoder.input_feeding,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            begin=BEGIN,
            end=END,
            never=[PAD, BEGIN, UNKNOWN],
            keep_weights=attention,
            threads=torch.get_num_threads(),
        )
    except NoProbabilitiesError as error:
        raise no_probabilities(error.source, error.step) from None
    return [
        [
            Hypothesis(
                one.symbols[:-1],
                one.score,
                one.log_probability,
                None if one.attention is None else torch.from_numpy(one.attention),
            )
            for one in hypotheses
        ]
        for hypotheses in found
    ]


def _is_product(part: nn.Module, has_bias: bool) -> bool:
    return type(part) is nn.Linear and (part.bias is not None) == has_bias


def _is_plain_layer(part: nn.Module) -> bool:
    if not isinstance(part, _LAYERS) or type(part) not in _LAYERS:
        return False
    drops = part.training and part.dropout
    return part.batch_first and part.shape.num_directions == 1 and not drops


def _is_plain_embedding(part: nn.Module) -> bool:
    return type(part) is nn.Embedding and part.max_norm is None


def _drops_nothing(part: nn.Module) -> bool:
    return type(part) is nn.Dropout and not (part.training and part.p)


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


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _rows_side_by_side(memory: Tensor) -> Tensor:
    return memory if memory.stride(-1) == 1 or memory.shape[-1] == 1 else memory.contiguous()
