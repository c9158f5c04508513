"""Turning sequences round in time, each inside its own length."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def turn(
    x: Float[Tensor, "step batch size"], lengths: Int[Tensor, "batch"] | None
) -> Float[Tensor, "step batch size"]:
    """Reverse the real steps of each sample and leave its padding where it is.

    Turning twice gives the sequence back.

    Args:
        x: sequences, time first.
        lengths: real steps of each sample; all steps when absent.
    """
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device)[:, None]
    turned = lengths.to(x.device)[None, :] - 1 - steps
    source = torch.where(turned < 0, steps, turned)
    return x[source, torch.arange(x.shape[1], device=x.device)[None, :]]
