"""M25: weights that another framework's convention makes right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .. import nn as ours
from ._check import CannotTell, Check, finding
from ._convention import Convention, Weights, conventions
from ._finding import Finding
from ._observation import Observation

NEAR = 1e-4
"""The target is met when no number differs by more, of the largest."""
MOST_PARTED = 64
"""Of a GRU with more units the summed bias is not parted: each unit takes a run."""
APART = 1e-3
"""It is missed when some number does."""
_LAYERS = (nn.RNNBase, ours.RNN, ours.GRU, ours.LSTM)


def _difference(results: list[Tensor], target: Tensor) -> float:
    """How far the nearest result is from the target, as part of the target's largest number."""
    found = [float("inf")]
    for result in results:
        if result.shape != target.shape and result.squeeze().shape == target.squeeze().shape:
            result, target = result.squeeze(), target.squeeze()
        if result.shape == target.shape and target.numel():
            most = max(float(target.abs().max()), 1e-6)
            found.append(float((result - target).detach().abs().max()) / most)
    return min(found)


def converted_wrongly(seen: Observation) -> Iterator[Finding]:
    """M25: the target is what another order of the same weights gives.

    Args:
        seen: the model.
    """
    target = seen.target
    if not isinstance(target, Tensor) or not target.is_floating_point():
        raise CannotTell(
            "there is nothing to compare with; give target, the output of the other framework"
        )
    target = target.detach().to("cpu", seen.runner.patient.dtype)
    before = _difference(seen.whole.results, target)
    if not seen.runs or before == float("inf") or before <= APART:
        return
    for name, module in seen.whole.model.named_modules():
        if not isinstance(module, _LAYERS) or name not in seen.calls:
            continue
        cell = seen.calls[name][0].cell
        for convention in _tried(cell, module):
            after = _difference_under(seen, name, convention, target)
            if after > NEAR and convention.bias == "summed":
                after = _parted(seen, name, target)
            if after <= NEAR:
                yield _converted(name, convention, before, after)
                return


def _converted(name: str, convention: Convention, before: float, after: float) -> Finding:
    named = name or "the layer"
    return finding(
        "M25",
        "error",
        name,
        "ID",
        f"The result differs from the target by {before:.2g} of its size; with the "
        f"weights of {named} "
        f"read as {convention}, by {after:.2g}.",
        f"The weights of {named} were converted in another framework's convention: {convention}.",
        "blocks = dict(zip("
        f"{convention.order!r}, weight.chunk({len(convention.order)})))\n"
        "weight = torch.cat([blocks[gate] for gate in GATES])  # PyTorch: i f g o, or r z n",
        before=before,
        after=after,
        convention=str(convention),
    )


def _tried(cell: str, module: Any) -> Iterator[Convention]:
    """What differs from how PyTorch reads the weights, likely ones first."""
    usual = conventions(cell)[0]
    square = not getattr(module, "proj_size", 0)
    for convention in conventions(cell):
        if convention != usual and (square or not convention.turned):
            yield convention
    if cell == "gru":
        yield replace(usual, bias="summed")


def _difference_under(
    seen: Observation, name: str, convention: Convention, target: Tensor
) -> float:
    """How far the result is from the target with a layer's weights read otherwise."""
    model = seen.runner.patient.fresh()
    layer: Any = model.get_submodule(name)
    if convention.bias == "as given":
        for weights in _groups(layer):
            _reread(weights, convention)
    if convention.reset == "before":
        layer.register_forward_hook(_reset_before, with_kwargs=True)
    trial = seen.runner.run(seen.examples, cutting=False, model=model, graph=False)
    return _difference(trial.results, target)


def _groups(layer: Any) -> Iterator[dict[str, Tensor]]:
    """The weights of each layer and direction by their short names."""
    for layer_index in range(layer.num_layers):
        for end in ("", "_reverse") if layer.bidirectional else ("",):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            yield {
                short: getattr(layer, f"{short}_l{layer_index}{end}")
                for short in names
                if hasattr(layer, f"{short}_l{layer_index}{end}")
            }


def _reread(weights: dict[str, Tensor], convention: Convention) -> None:
    size = weights["weight_hh"].shape[0]
    zeros = weights["weight_hh"].new_zeros(size)
    as_arrays = Weights(
        weights["weight_ih"].detach().numpy(),
        weights["weight_hh"].detach().numpy(),
        weights.get("bias_ih", zeros).detach().numpy(),
        weights.get("bias_hh", zeros).detach().numpy(),
    ).read(convention)
    for short, array in zip(
        ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        (as_arrays.w, as_arrays.u, as_arrays.b, as_arrays.r),
        strict=True,
    ):
        if short in weights:
            weights[short].data = torch.tensor(array, dtype=weights[short].dtype)


def _reset_before(layer: Any, args: Any, kwargs: Any, result: Any) -> Any:
    """A GRU of one layer whose reset gate acts before the recurrent product."""
    given = args[0] if args else kwargs["input"]
    if layer.num_layers != 1 or layer.bidirectional or not isinstance(given, Tensor):
        return None
    x = given.transpose(0, 1) if layer.batch_first and given.dim() == 3 else given
    weights = next(_groups(layer))
    zeros = weights["weight_hh"].new_zeros(weights["weight_hh"].shape[0])
    b, r = weights.get("bias_ih", zeros), weights.get("bias_hh", zeros)
    u_r, u_z, u_n = weights["weight_hh"].chunk(3)
    r_r, r_z, r_n = r.chunk(3)
    h = x.new_zeros(*x.shape[1:-1], layer.hidden_size)
    states = []
    for step in x:
        x_r, x_z, x_n = (step @ weights["weight_ih"].t() + b).chunk(3, -1)
        reset = torch.sigmoid(x_r + h @ u_r.t() + r_r)
        update = torch.sigmoid(x_z + h @ u_z.t() + r_z)
        h = (1 - update) * torch.tanh(x_n + (reset * h) @ u_n.t() + r_n) + update * h
        states.append(h)
    output = torch.stack(states)
    if layer.batch_first and given.dim() == 3:
        output = output.transpose(0, 1)
    return output, h.unsqueeze(0)


def _parted(seen: Observation, name: str, target: Tensor) -> float:
    """How near the result comes when the summed bias of a GRU's candidate is parted in two.

    How it was parted is not known, so that it is fitted: hidden_size numbers.
    """
    model = seen.runner.patient.fresh()
    layer: Any = model.get_submodule(name)
    groups = list(_groups(layer))
    if any("bias_ih" not in group for group in groups) or len(groups) != 1:
        return float("inf")
    size = layer.hidden_size
    own = groups[0]["bias_ih"].detach() + groups[0]["bias_hh"].detach()
    if size > MOST_PARTED:
        return float("inf")
    names = ("bias_ih_l0", "bias_hh_l0")

    def results(inside: Tensor) -> list[Tensor]:
        parts = own.clone(), torch.zeros_like(own)
        parts[0][2 * size :] -= inside
        parts[1][2 * size :] = inside
        for attribute, value in zip(names, parts, strict=True):
            getattr(layer, attribute).data = value
        return seen.runner.plain_of(seen.examples, model)

    def given(inside: Tensor) -> Tensor | None:
        fitting = (r for r in results(inside) if r.shape == target.shape)
        return next(fitting, None)

    inside = own[2 * size :] / 2
    for _ in range(8):
        now = given(inside)
        if now is None:
            return float("inf")
        columns = []
        for unit in range(size):
            moved = inside.clone()
            moved[unit] += 1e-6
            there = given(moved)
            if there is not None:
                columns.append((there - now).reshape(-1) / 1e-6)
        step = torch.linalg.lstsq(torch.stack(columns, 1), (target - now).reshape(-1, 1))
        inside = inside + step.solution[:, 0].clamp(-1, 1)
    return _difference(results(inside), target)


CHECKS = (Check("M25", converted_wrongly),)
