"""The encoder-decoder, on ids."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..nn import Bridge
from ._decoder import AttentionDecoder, Decoded
from ._decoder_start import decoder_start
from ._decoder_state import DecoderState
from ._encoder import Encoder
from ._special import PAD


class Seq2Seq(nn.Module):
    """An encoder, a bridge and a decoder.

    The encoder's `output` is the memory that attention reads; its `hidden_state` starts the
    decoder through the bridge.

    Args:
        encoder: reads the source.
        bridge: makes the decoder's initial states.
        decoder: writes the target.

    Raises:
        ValueError: the parts do not fit each other.
    """

    def __init__(self, encoder: Encoder, bridge: Bridge, decoder: AttentionDecoder) -> None:
        super().__init__()
        _check_fit(encoder, bridge, decoder)
        self.encoder = encoder
        self.bridge = bridge
        self.decoder = decoder

    def forward(
        self,
        source: Int[Tensor, "batch source_step"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_step"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Decoded:
        """What the decoder says at every step of known targets.

        Args:
            source: source ids, PAD behind.
            source_lengths: real symbols of each source.
            target_in: BEGIN and the target ids, PAD behind.
            target_lengths: real steps of each target, BEGIN included.

        Raises:
            ValueError: a length does not fit.
        """
        start = decoder_start(self.encoder, self.bridge, source, source_lengths)
        decoded: Decoded = self.decoder(target_in, target_lengths, *start)
        return decoded

    def start(
        self, source: Int[Tensor, "batch source_step"], source_lengths: Int[Tensor, " batch"]
    ) -> DecoderState:
        """Encode sources and stand before the first target step.

        Args:
            source: source ids, PAD behind.
            source_lengths: real symbols of each source.

        Raises:
            ValueError: a length does not fit.
        """
        start = decoder_start(self.encoder, self.bridge, source, source_lengths)
        return self.decoder.start(*start)

    @torch.inference_mode()
    def score(
        self,
        source: Int[Tensor, "batch source_step"],
        source_lengths: Int[Tensor, " batch"],
        target_in: Int[Tensor, "batch target_step"],
        target_out: Int[Tensor, "batch target_step"],
        target_lengths: Int[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """The log-probability of each target given its source, END included, in nats.

        Without gradients; put the model into evaluation mode first.

        Args:
            source: source ids, PAD behind.
            source_lengths: real symbols of each source.
            target_in: BEGIN and the target ids, PAD behind.
            target_out: the target ids and END, PAD behind.
            target_lengths: real steps of each target.

        Raises:
            ValueError: a length does not fit.
        """
        logits = self(source, source_lengths, target_in, target_lengths).logits
        losses = cross_entropy(
            logits.transpose(1, 2), target_out, ignore_index=PAD, reduction="none"
        )
        return -losses.sum(dim=1)


def _check_fit(encoder: Encoder, bridge: Bridge, decoder: AttentionDecoder) -> None:
    for name, built_for, found in (
        ("encoder", bridge.encoder_shape, encoder.shape),
        ("decoder", bridge.decoder_shape, decoder.shape),
    ):
        # What a stack reads does not concern the bridge.
        if replace(built_for, input_size=0) != replace(found, input_size=0):
            raise ValueError(
                f"the bridge was built for another {name}: {built_for}, but the {name} is {found}; "
                "build it from the shapes of this encoder and decoder."
            )
    if decoder.memory_size != encoder.shape.output_size:
        raise ValueError(
            f"the decoder reads a memory of {decoder.memory_size} features, but the encoder's "
            f"output has {encoder.shape.output_size}; give that as the decoder's memory_size."
        )
