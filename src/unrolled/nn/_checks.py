"""What a recurrent layer or cell refuses, in one sentence each."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..grid import StackShape, check_lengths
from ..grid._integer import check_integer


def check_weight_type(dtype: torch.dtype | None) -> None:
    """Refuse a type in which weights cannot be trained.

    Args:
        dtype: what was given; `None` is PyTorch's default.

    Raises:
        ValueError: it is a type that has no gradients.
    """
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}; weights must be of a floating-point type.")


def check_size(size: object, name: str) -> None:
    """Refuse what is no number of features, samples or symbols.

    Args:
        size: what was given.
        name: what it is, for the message.

    Raises:
        TypeError: it is no integer.
        ValueError: it is below 1.
    """
    if check_integer(size, name) < 1:
        raise ValueError(f"{name} is {size}; it must be 1 or more.")


def check_input(
    input: object, *, size: int, name: str = "input", like: Tensor, ranks: tuple[int, ...]
) -> Tensor:
    """Refuse an input that the layer cannot read.

    Args:
        input: what came.
        size: features expected on the last axis.
        name: what to call it.
        like: a weight, whose type and device the input must have.
        ranks: numbers of axes that are accepted.

    Raises:
        TypeError: it is no tensor.
        ValueError: its rank, size, type, device or layout is not the layer's.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"{name} is {_describe(input)}; give a tensor.")
    if input.dim() not in ranks:
        expected = " or ".join(str(rank) for rank in ranks)
        raise ValueError(
            f"{name} has {input.dim()} axes, shape {tuple(input.shape)}; it must have {expected}."
        )
    if input.shape[-1] != size:
        raise ValueError(
            f"{name} has {input.shape[-1]} features on its last axis, shape {tuple(input.shape)}; "
            f"this layer reads {size}."
        )
    check_type(input, name=name, like=like)
    return input


def check_type(tensor: Tensor, *, name: str, like: Tensor) -> None:
    """Refuse a tensor of another type, device or layout than the weights.

    Args:
        tensor: what came.
        name: what to call it.
        like: a weight.

    Raises:
        ValueError: its type, device or layout differs.
    """
    if tensor.layout != torch.strided:
        raise ValueError(f"{name} is {tensor.layout}; make it dense with .to_dense() first.")
    if tensor.device != like.device:
        raise ValueError(
            f"{name} is on {tensor.device} but the weights are on {like.device}; "
            f"move one of them with .to()."
        )
    if tensor.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type):
        raise ValueError(
            f"{name} is {tensor.dtype} but the weights are {like.dtype}; "
            f"convert it with .to({like.dtype})."
        )


def check_steps(steps: int) -> None:
    """Refuse an input without steps.

    Raises:
        ValueError: there are none.
    """
    if steps < 1:
        raise ValueError("the input has 0 steps; a recurrent layer needs at least one.")


def check_sample_lengths(
    lengths: Tensor | Sequence[int], *, batch: int, steps: int
) -> Tensor | None:
    """The lengths as a tensor of int64, or `None` where every step of every sample is real.

    Args:
        lengths: one per sample.
        batch: samples.
        steps: steps of the input, padding included.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: there is not one per sample, or one is below 1 or above `steps`.
    """
    if isinstance(lengths, Tensor) and lengths.is_meta:
        raise ValueError("lengths are on the meta device, which holds no values; give real ones.")
    plain = lengths.detach().cpu().numpy() if isinstance(lengths, Tensor) else lengths
    checked = check_lengths(plain, batch=batch, steps=steps, allow_none=False)
    return None if bool(np.all(checked == steps)) else torch.from_numpy(checked)


def check_traced_lengths(lengths: Tensor, *, batch: int) -> Tensor:
    """The lengths as a tensor of int64, of which a compiler sees everything but the values.

    The kernels look at these when they run, and refuse the same ones in the same words.

    Args:
        lengths: one per sample.
        batch: samples.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: there is not one per sample.
    """
    if lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool:
        kind = str(lengths.dtype).removeprefix("torch.")
        raise TypeError(f"lengths are {kind}; they must be integers.")
    if lengths.dim() != 1 or lengths.shape[0] != batch:
        raise ValueError(
            f"lengths have shape {tuple(lengths.shape)}; give one length per sample, "
            f"shape ({batch},)."
        )
    return lengths.detach().to("cpu", torch.int64).contiguous()


def check_initial_state(
    hx: object, *, shape: StackShape, batch: int | None, like: Tensor
) -> tuple[Tensor, Tensor | None]:
    """The initial h and c, once they have the shapes they must have.

    Args:
        hx: h_0, or (h_0, c_0) for an LSTM.
        shape: the stack.
        batch: samples; `None` for an unbatched run.
        like: a weight, whose type and device they must have.

    Raises:
        TypeError: it is not a tensor, or not a pair of tensors for an LSTM.
        ValueError: a shape, type or device is wrong.
    """
    if shape.has_cell_state:
        if not (isinstance(hx, (tuple, list)) and len(hx) == 2):
            raise TypeError(
                f"the initial state of an LSTM is {_describe(hx)}; give a pair (h_0, c_0)."
            )
        hidden, cell = hx
        return (
            _check_state(hidden, "h_0", shape, shape.state_size, batch, like),
            _check_state(cell, "c_0", shape, shape.cell_size, batch, like),
        )
    if isinstance(hx, (tuple, list)):
        raise TypeError(
            f"the initial state is {_describe(hx)}; only an LSTM has a cell state, "
            "give the tensor h_0 alone."
        )
    return _check_state(hx, "h_0", shape, shape.state_size, batch, like), None


def _check_state(
    state: object, name: str, shape: StackShape, size: int, batch: int | None, like: Tensor
) -> Tensor:
    if not isinstance(state, Tensor):
        raise TypeError(f"{name} is {_describe(state)}; give a tensor.")
    expected = (shape.num_rows, size) if batch is None else (shape.num_rows, batch, size)
    if tuple(state.shape) != expected:
        axes = (
            "(layers * directions, size)"
            if batch is None
            else ("(layers * directions, batch, size), whatever batch_first is")
        )
        raise ValueError(f"{name} has shape {tuple(state.shape)}; it must be {expected}: {axes}.")
    check_type(state, name=name, like=like)
    return state


def _describe(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return "a tensor" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
