"""The training loss of sequences."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ._special import PAD


class SequenceLoss(nn.Module):
    """Mean cross-entropy per real target symbol, END included, in nats.

        loss = mean of -sum_k q_k log p_k,  q_k = (1 - smoothing) [k is right] + smoothing / vocab

    Args:
        label_smoothing: probability taken from the right symbol and spread over all; Szegedy et
            al. (2016), section 7.

    Raises:
        ValueError: the smoothing is not from 0 to below 1.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; it must be from 0 to below 1.")
        self.label_smoothing = label_smoothing

    def forward(
        self,
        logits: Float[Tensor, "batch target_step vocab"],
        target_out: Int[Tensor, "batch target_step"],
    ) -> Float[Tensor, ""]:
        """The loss of a batch.

        Args:
            logits: as the decoder gives them.
            target_out: the target and END, PAD behind.

        Raises:
            ValueError: there is no real symbol.
        """
        real = target_out != PAD
        symbols = target_out[real]
        if len(symbols) == 0:
            raise ValueError("target_out holds PAD alone; a loss needs at least one real symbol.")
        return cross_entropy(logits[real], symbols, label_smoothing=self.label_smoothing)
