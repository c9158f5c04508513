"""Over which axis the weights of a softmax are summed, and whether its scores reach a result."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ._layer_run import SoftmaxCall
from ._observation import DIRECT, Observation
from ._operations import Summed


def summed_axes(seen: Observation, softmax: SoftmaxCall) -> dict[int, Summed]:
    """The axes of a softmax's weights along which they are summed with what they weigh.

    Args:
        seen: the model.
        softmax: whose weights.
    """
    weights = softmax.weights
    factors = seen.cut.recorder.operations.sums
    own = [one for one in factors if _shares(one.factor, weights)]
    found: dict[int, Summed] = {}
    for one in own:
        for axis in one.axes:
            place = _same_stride(weights, one.factor, axis)
            if place is not None:
                found.setdefault(place, one)
    if own:
        return found
    # Weights that were masked, divided or laid out anew before they were used.
    for one in factors:
        if one.factor.numel() != weights.numel() or not one.factor.requires_grad:
            continue
        if not bool(_gradient(one.factor, weights).any()):
            continue
        for axis in one.axes:
            place = _same_content(softmax, one.factor, axis)
            if place is not None:
                found.setdefault(place, one)
        break
    return found


def _shares(factor: Tensor, weights: Tensor) -> bool:
    return factor.untyped_storage().data_ptr() == weights.untyped_storage().data_ptr()


def _same_stride(weights: Tensor, factor: Tensor, axis: int) -> int | None:
    if axis >= factor.dim() or factor.shape[axis] < 2:
        return None
    for place, size in enumerate(weights.shape):
        if size == factor.shape[axis] and weights.stride(place) == factor.stride(axis):
            return place
    return None


def _same_content(softmax: SoftmaxCall, factor: Tensor, axis: int) -> int | None:
    """The axis of the weights that goes along an axis of what was made of them."""
    weights = softmax.weights
    if axis >= factor.dim() or factor.shape[axis] < 2:
        return None
    size = factor.shape[axis]
    fitting = [place for place, own in enumerate(weights.shape) if own == size]
    for place in fitting:
        if place == softmax.dim:
            continue
        amounts = _gradient(factor.narrow(axis, size - 1, 1), weights).movedim(place, 0)
        sizes = amounts.reshape(size, -1).sum(1)
        if bool((sizes[:-1] <= DIRECT * sizes[-1]).all()) and bool(sizes[-1] > 0):
            return place
    # Divided by its sum along the axis of the softmax, where each then depends on all.
    return softmax.dim if softmax.dim in fitting else None


def _gradient(value: Tensor, of: Tensor) -> Tensor:
    """Sizes of the gradient of all of a value's numbers, weighed so that none cancel."""
    if not value.requires_grad or not of.requires_grad:
        return torch.zeros_like(of)
    generator = torch.Generator().manual_seed(value.numel())
    along = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.5
    (found,) = torch.autograd.grad(
        value, of, along.to(value.dtype), retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(of) if found is None else torch.nan_to_num(found, nan=1.0).abs()


def padding_counts(seen: Observation, place: int, batch: int, sample: int, length: int) -> bool:
    """Whether the scores of padded steps move what a model gives for the real ones.

    Weights that are masked after the softmax and divided by their sum are none of padding.

    Args:
        seen: the model.
        place: of the softmax among those of a run.
        batch: the axis of the samples.
        sample: whose.
        length: how many real steps it has.
    """
    softmaxes = seen.whole.recorder.softmaxes
    if place >= len(softmaxes):
        return True
    softmax = softmaxes[place]
    amounts = torch.zeros_like(softmax.scores)
    for value in _given(seen, sample, length):
        amounts += _gradient(value, softmax.scores)
    own = (
        amounts.narrow(batch, sample, 1)
        .movedim(softmax.dim, 0)
        .reshape(amounts.shape[softmax.dim], -1)
    )
    return bool(own[length:].max() > 1e-9 * own.max()) if bool(own.any()) else True


def _given(seen: Observation, sample: int, length: int) -> Iterator[Tensor]:
    """What a model gives for the real steps of a sample."""
    for reader in seen.whole_results:
        if reader.samples != seen.batch or reader.batch_axis is None:
            yield reader.tensor
            continue
        part, real = reader.part(sample), seen.real_positions(reader, length)
        if real is not None and reader.time_axis is not None:
            part = part.narrow(reader.time_axis, 0, real)
        yield part
