"""Between packed data and padded tensors, with the order of the samples kept."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


def unpack_padded(
    data: Float[Tensor, "real_step size"],
    batch_sizes: Int[Tensor, " longest"],
    unsorted_indices: Int[Tensor, " batch"] | None,
    steps: int,
) -> Float[Tensor, "step batch size"]:
    """Packed data as a padded tensor, time first, in the samples' own order; padding is 0.

    Args:
        data: as in `PackedSequence.data`.
        batch_sizes: samples alive at each step.
        unsorted_indices: where each sample stands in the packed order.
        steps: length to pad to.
    """
    packed = PackedSequence(data, batch_sizes, None, unsorted_indices)
    padded, _ = pad_packed_sequence(packed, total_length=steps)
    return padded


def present(index: Tensor | None) -> Tensor:
    """The order of a `PackedSequence` that was sorted for packing, which always has one."""
    if index is None:
        raise ValueError("a sequence packed with enforce_sorted=False lost its order.")
    return index


def pack_like(
    padded: Float[Tensor, "step batch size"],
    batch_sizes: Int[Tensor, " longest"],
    sorted_indices: Int[Tensor, " batch"] | None,
) -> Float[Tensor, "real_step size"]:
    """Pack a padded tensor in the order of an existing `PackedSequence`.

    Args:
        padded: time first, in the samples' own order.
        batch_sizes: samples alive at each step.
        sorted_indices: the packed order of the samples.
    """
    ordered = padded if sorted_indices is None else padded.index_select(1, sorted_indices)
    return torch.cat([ordered[step, :alive] for step, alive in enumerate(batch_sizes.tolist())])
