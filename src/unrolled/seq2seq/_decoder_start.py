"""What a decoder starts with."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..nn import Bridge
from ._encoder import Encoded, Encoder


class DecoderStart(NamedTuple):
    """What an encoder and a bridge give `AttentionDecoder.start`, in its order.

    Attributes:
        memory: what attention reads.
        mask: `True` where a source step is real.
        hidden: h_0 of each layer of the decoder.
        cell: c_0 of each layer; `None` but for an LSTM.
    """

    memory: Float[Tensor, "batch source_step memory"]
    mask: Bool[Tensor, "batch source_step"]
    hidden: Float[Tensor, "layer batch hidden"]
    cell: Float[Tensor, "layer batch cell"] | None


def decoder_start(
    encoder: Encoder,
    bridge: Bridge,
    source: Int[Tensor, "batch source_step"],
    source_lengths: Int[Tensor, " batch"],
) -> DecoderStart:
    """Encode sources, and lead what came of them to a decoder.

    Args:
        encoder: reads the sources.
        bridge: makes the initial states of the decoder.
        source: source ids, PAD behind.
        source_lengths: real symbols of each source.

    Raises:
        ValueError: a length does not fit.
    """
    encoded: Encoded = encoder(source, source_lengths)
    hidden, cell = bridge(encoded.hidden_state, encoded.cell_state)
    return DecoderStart(encoded.memory, encoded.mask, hidden, cell)
