"""Attention that PyTorch computes in one call: whether it reads padded steps of its memory."""

from __future__ import annotations

import torch

from ._layer_run import AttentionCall
from ._leak import Leak
from ._observation import Observation, significant


def padding_attended(seen: Observation) -> Leak | None:
    """Attention in one call that reads padding of the first sequence.

    Its weights are not seen, so that this says where padding is read, and not whether a result
    depends on it.

    Args:
        seen: the model.
    """
    main, lengths = seen.main, seen.examples.lengths
    if main is None or lengths is None or seen.examples.padded_left:
        return None
    for call in seen.cut.recorder.attentions:
        if not call.memory.requires_grad or not call.result.requires_grad:
            continue
        runs = [k for k in seen.cut.flow.of(call.memory).outputs if k in seen.readers_of_main]
        width = call.memory.shape[call.step_axis]
        if not runs or width not in (main.steps, max(lengths)):
            continue
        if call.memory.shape[call.batch_axis] != len(lengths):
            continue
        for sample, length in enumerate(lengths):
            read = [step for step in _read(call, sample, length, width) if step >= length]
            if read:
                return Leak(
                    "M23",
                    call.module or seen.runs[runs[-1]].module,
                    f"Attention reads step {read[-1]} of sample {sample}, which has {length} real "
                    "steps.",
                    sample,
                    read[-1],
                )
    return None


def _read(call: AttentionCall, sample: int, length: int, width: int) -> list[int]:
    """The steps of the memory that the real queries of one sample read."""
    given = call.result.narrow(call.batch_axis, sample, 1)
    if given.shape[call.step_axis] == width:
        given = given.narrow(call.step_axis, 0, length)
    generator = torch.Generator().manual_seed(given.numel())
    weights = torch.rand(given.shape, generator=generator, dtype=torch.float64) + 0.5
    (gradient,) = torch.autograd.grad(
        given, call.memory, weights.to(given.dtype), retain_graph=True, allow_unused=True
    )
    if gradient is None:
        return []
    own = gradient.narrow(call.batch_axis, sample, 1).abs().double()
    return significant(own.movedim(call.step_axis, 0).reshape(width, -1).sum(1).numpy())
