"""The architecture of an encoder-decoder as plain numbers and words, and its builder."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from ..errors import ModelError
from ..grid import CELLS, Cell
from ..nn import AdditiveAttention, Bridge, ConcatAttention, DotAttention, GeneralAttention
from ._decoder import AttentionDecoder
from ._encoder import Encoder
from ._model import Seq2Seq

AttentionKind = Literal["additive", "dot", "general", "concat"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All that is needed to build a `Seq2Seq`, as a model directory keeps it.

    Attributes:
        source_vocab_size: symbols of the source, special ones included.
        target_vocab_size: symbols of the target, special ones included.
        cell: cell of the encoder: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        decoder_cell: cell of the decoder; that of the encoder when absent.
        embedding_size: features of one embedded symbol, on both sides.
        encoder_hidden_size: units of each encoder layer and direction.
        decoder_hidden_size: units of each decoder layer.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder.
        bidirectional: whether the encoder also runs in reverse.
        attention: `"additive"`, `"dot"`, `"general"` or `"concat"`.
        attention_size: inner features of additive and concat attention.
        input_feeding: whether the decoder reads its last attentional vector.
        bridge_hidden: `hidden` of `unrolled.nn.Bridge`.
        bridge_layers: `layers` of it.
        bridge_cell: `cell` of it; when absent the encoder's cell states where it has them, else
            its hidden states.
        dropout: probability of zeroing an element, in training.
        tie_embeddings: whether the target embedding also scores the symbols.
    """

    source_vocab_size: int
    target_vocab_size: int
    cell: Cell = "lstm"
    decoder_cell: Cell | None = None
    embedding_size: int = 128
    encoder_hidden_size: int = 256
    decoder_hidden_size: int = 256
    encoder_layers: int = 1
    decoder_layers: int = 1
    bidirectional: bool = True
    attention: AttentionKind = "general"
    attention_size: int | None = None
    input_feeding: bool = False
    bridge_hidden: str = "project"
    bridge_layers: str = "top"
    bridge_cell: str | None = None
    dropout: float = 0.0
    tie_embeddings: bool = False


def build(architecture: Architecture) -> Seq2Seq:
    """Build the network of an architecture, freshly initialised.

    Args:
        architecture: what to build.

    Raises:
        ModelError: the architecture cannot be built; names every fault at once.
    """
    faults = _plain_faults(architecture)
    if faults:
        raise _refusal(faults)
    encoder = Encoder(
        vocab_size=architecture.source_vocab_size,
        embedding_size=architecture.embedding_size,
        hidden_size=architecture.encoder_hidden_size,
        cell=architecture.cell,
        num_layers=architecture.encoder_layers,
        bidirectional=architecture.bidirectional,
        dropout=architecture.dropout,
    )
    memory_size = encoder.shape.output_size
    if architecture.attention == "dot" and memory_size != architecture.decoder_hidden_size:
        faults.append(
            f"attention='dot' needs decoder_hidden_size to be the size of the memory, "
            f"{memory_size}, but it is {architecture.decoder_hidden_size}; use 'general' instead"
        )
    decoder = None
    try:
        decoder = AttentionDecoder(
            vocab_size=architecture.target_vocab_size,
            embedding_size=architecture.embedding_size,
            hidden_size=architecture.decoder_hidden_size,
            memory_size=memory_size,
            attention=_attention(architecture, memory_size),
            cell=architecture.decoder_cell or architecture.cell,
            num_layers=architecture.decoder_layers,
            input_feeding=architecture.input_feeding,
            dropout=architecture.dropout,
            tie_embeddings=architecture.tie_embeddings,
        )
    except ValueError as error:
        faults.append(str(error).rstrip("."))
    bridge = None
    if decoder is not None:
        default = "from_cell" if encoder.shape.has_cell_state else "from_hidden"
        try:
            bridge = Bridge(
                encoder.shape,
                decoder.shape,
                hidden=architecture.bridge_hidden,  # type: ignore[arg-type]
                layers=architecture.bridge_layers,  # type: ignore[arg-type]
                cell=architecture.bridge_cell or default,  # type: ignore[arg-type]
            )
        except ValueError as error:
            faults.append(f"bridge: {str(error).rstrip('.')}")
    if faults or decoder is None or bridge is None:
        raise _refusal(faults)
    return Seq2Seq(encoder, bridge, decoder)


def _plain_faults(architecture: Architecture) -> list[str]:
    faults = [
        f"{name} is {value!r}; it must be a whole number of 1 or more"
        for name, value in (
            ("source_vocab_size", architecture.source_vocab_size),
            ("target_vocab_size", architecture.target_vocab_size),
            ("embedding_size", architecture.embedding_size),
            ("encoder_hidden_size", architecture.encoder_hidden_size),
            ("decoder_hidden_size", architecture.decoder_hidden_size),
            ("encoder_layers", architecture.encoder_layers),
            ("decoder_layers", architecture.decoder_layers),
        )
        if not isinstance(value, int) or value < 1
    ]
    choices: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("cell", architecture.cell, CELLS),
        ("decoder_cell", architecture.decoder_cell, (*CELLS, None)),
        ("attention", architecture.attention, get_args(AttentionKind)),
    )
    faults += [
        f"{name} is {value!r}; it must be one of {', '.join(str(k) for k in known if k)}"
        for name, value, known in choices
        if value not in known
    ]
    if not 0 <= architecture.dropout < 1:
        faults.append(f"dropout is {architecture.dropout!r}; it must be from 0 to below 1")
    return faults


def _refusal(faults: list[str]) -> ModelError:
    return ModelError(f"this architecture cannot be built: {'; '.join(faults)}.")


def _attention(architecture: Architecture, memory_size: int) -> nn.Module:
    query_size = architecture.decoder_hidden_size
    if architecture.attention == "dot":
        return DotAttention()
    if architecture.attention == "general":
        return GeneralAttention(query_size, memory_size)
    kind = AdditiveAttention if architecture.attention == "additive" else ConcatAttention
    return kind(query_size, memory_size, architecture.attention_size)
