"""The architecture of an encoder-decoder as plain numbers and words, and its builder."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from ..errors import ModelError
from ..grid import CELLS, Cell, StackShape
from ..nn import AdditiveAttention, Bridge, ConcatAttention, DotAttention, GeneralAttention
from ..nn._bridge_map import CellRule, Hidden, Layers
from ._decoder import AttentionDecoder
from ._encoder import Encoder
from ._model import Seq2Seq
from ._special import SPECIAL_PIECES

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
        ModelError: the architecture cannot be built; names every fault at once, or says that there
            is no memory for it.
    """
    plain = _plain_faults(architecture)
    faults = [*plain.values(), *_fit_faults(architecture, plain)]
    if faults:
        raise ModelError(f"this architecture cannot be built: {'; '.join(faults)}.")
    try:
        return _built(architecture)
    except RuntimeError as error:  # which is how PyTorch says that there is no memory
        raise ModelError(
            f"this architecture cannot be built ({str(error).splitlines()[0]}); make its sizes "
            "smaller."
        ) from error


def _built(architecture: Architecture) -> Seq2Seq:
    encoder = Encoder(
        vocab_size=architecture.source_vocab_size,
        embedding_size=architecture.embedding_size,
        hidden_size=architecture.encoder_hidden_size,
        cell=architecture.cell,
        num_layers=architecture.encoder_layers,
        bidirectional=architecture.bidirectional,
        dropout=architecture.dropout,
    )
    decoder = AttentionDecoder(
        vocab_size=architecture.target_vocab_size,
        embedding_size=architecture.embedding_size,
        hidden_size=architecture.decoder_hidden_size,
        memory_size=encoder.shape.output_size,
        attention=_attention(architecture, encoder.shape.output_size),
        cell=architecture.decoder_cell or architecture.cell,
        num_layers=architecture.decoder_layers,
        input_feeding=architecture.input_feeding,
        dropout=architecture.dropout,
        tie_embeddings=architecture.tie_embeddings,
    )
    return Seq2Seq(encoder, _bridge(architecture, encoder.shape, decoder.shape), decoder)


def _plain_faults(architecture: Architecture) -> dict[str, str]:
    """What is wrong with single fields, by field."""
    special = len(SPECIAL_PIECES)
    sizes: tuple[tuple[str, object, int], ...] = (
        ("source_vocab_size", architecture.source_vocab_size, special),
        ("target_vocab_size", architecture.target_vocab_size, special),
        ("embedding_size", architecture.embedding_size, 1),
        ("encoder_hidden_size", architecture.encoder_hidden_size, 1),
        ("decoder_hidden_size", architecture.decoder_hidden_size, 1),
        ("encoder_layers", architecture.encoder_layers, 1),
        ("decoder_layers", architecture.decoder_layers, 1),
    )
    if architecture.attention_size is not None:
        sizes = (*sizes, ("attention_size", architecture.attention_size, 1))
    faults = {
        name: f"{name} is {value!r}; it must be a whole number of {least} or more"
        for name, value, least in sizes
        if not isinstance(value, int) or isinstance(value, bool) or value < least
    }
    choices: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("cell", architecture.cell, CELLS),
        ("decoder_cell", architecture.decoder_cell, (*CELLS, None)),
        ("attention", architecture.attention, get_args(AttentionKind)),
        ("bridge_hidden", architecture.bridge_hidden, get_args(Hidden)),
        ("bridge_layers", architecture.bridge_layers, get_args(Layers)),
        ("bridge_cell", architecture.bridge_cell, (*get_args(CellRule), None)),
    )
    faults |= {
        name: f"{name} is {value!r}; it must be one of {', '.join(str(k) for k in known if k)}"
        for name, value, known in choices
        if value not in known
    }
    flags: tuple[tuple[str, object], ...] = (
        ("bidirectional", architecture.bidirectional),
        ("input_feeding", architecture.input_feeding),
        ("tie_embeddings", architecture.tie_embeddings),
    )
    faults |= {
        name: f"{name} is {value!r}; it must be true or false"
        for name, value in flags
        if not isinstance(value, bool)
    }
    dropout: object = architecture.dropout
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        faults["dropout"] = f"dropout is {dropout!r}; it must be from 0 to below 1"
    return faults


def _fit_faults(architecture: Architecture, faulty: Container[str]) -> Iterator[str]:
    """What does not fit together, of the fields that are sound by themselves."""

    def sound(*names: str) -> bool:
        return not any(name in faulty for name in names)

    size, attention = architecture.attention_size, architecture.attention
    if size is not None and attention in ("dot", "general"):
        yield (
            f"attention_size is {size}, but attention={attention!r} has no inner features; leave "
            "attention_size out, or use 'additive' or 'concat'"
        )
    embedding, hidden = architecture.embedding_size, architecture.decoder_hidden_size
    if (
        architecture.tie_embeddings
        and sound("embedding_size", "decoder_hidden_size")
        and embedding != hidden
    ):
        yield (
            "tie_embeddings needs embedding_size and decoder_hidden_size to be the same, but they "
            f"are {embedding} and {hidden}"
        )
    if not sound("cell", "embedding_size", "encoder_hidden_size", "encoder_layers"):
        return
    encoder = StackShape(
        architecture.cell,
        embedding,
        architecture.encoder_hidden_size,
        architecture.encoder_layers,
        architecture.bidirectional,
    )
    if not sound("decoder_hidden_size"):
        return
    if architecture.attention == "dot" and encoder.output_size != hidden:
        yield (
            f"attention='dot' needs decoder_hidden_size to be the size of the memory, "
            f"{encoder.output_size}, but it is {hidden}; use 'general' instead"
        )
    if sound("decoder_cell", "decoder_layers", "bridge_hidden", "bridge_layers", "bridge_cell"):
        cell = architecture.decoder_cell or architecture.cell
        decoder = StackShape(cell, embedding, hidden, architecture.decoder_layers)
        try:
            _bridge(architecture, encoder, decoder)
        except ValueError as error:
            yield f"bridge: {str(error).rstrip('.')}"


def _bridge(architecture: Architecture, encoder: StackShape, decoder: StackShape) -> Bridge:
    default = "from_cell" if encoder.has_cell_state else "from_hidden"
    return Bridge(
        encoder,
        decoder,
        hidden=architecture.bridge_hidden,  # type: ignore[arg-type]
        layers=architecture.bridge_layers,  # type: ignore[arg-type]
        cell=architecture.bridge_cell or default,  # type: ignore[arg-type]
    )


def _attention(architecture: Architecture, memory_size: int) -> nn.Module:
    query_size = architecture.decoder_hidden_size
    if architecture.attention == "dot":
        return DotAttention()
    if architecture.attention == "general":
        return GeneralAttention(query_size, memory_size)
    kind = AdditiveAttention if architecture.attention == "additive" else ConcatAttention
    return kind(query_size, memory_size, architecture.attention_size)
