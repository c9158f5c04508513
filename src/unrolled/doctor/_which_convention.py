"""Whose weights these are: the convention in which they give the outputs that were seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ._convention import Array, Convention, Weights, conventions, run_layer

GOOD = 1e-4
"""Weights and samples in single precision agree about so far."""


@dataclass(frozen=True, repr=False)
class ConventionMatch:
    """Conventions by how well they give the outputs that were seen, the best first."""

    ranked: tuple[tuple[Convention, float], ...]
    """Each with the largest difference from the samples."""

    @property
    def found(self) -> bool:
        """Whether one gives the samples."""
        return bool(self.ranked) and self.ranked[0][1] <= GOOD

    @property
    def best(self) -> Convention | None:
        """The one that does; None if none does."""
        return self.ranked[0][0] if self.found else None

    @property
    def error(self) -> float:
        """The largest difference that the best leaves."""
        return self.ranked[0][1] if self.ranked else float("inf")

    def __repr__(self) -> str:
        if self.found:
            first = f"{self.ranked[0][0].cell}: {self.ranked[0][0]}"
            lines = [f"{first}: largest difference {self.error:.2g}"]
        else:
            lines = [
                f"no known convention gives these samples; the nearest differ by {self.error:.2g}"
            ]
        lines += [f"  {error:.2g}  {convention}" for convention, error in self.ranked[1:4]]
        return "\n".join(lines)


def which_convention(weights: Any, samples: Any) -> ConventionMatch:
    """Tell which framework's convention makes given weights reproduce given outputs.

    Args:
        weights: of one layer in one direction: a mapping with the names of PyTorch
            (`weight_ih_l0`), Keras (`kernel`), ONNX (`W`, `R`, `B`) or Flax (`ii`, `hf` …), or
            arrays in a row: for the input, for the recurrence, then biases if any.
        samples: `(x, y)`: inputs (batch, step, input) or (step, input), and what the other
            framework gave: the states at every step (batch, step, hidden), or the last
            (batch, hidden). A third array, the final state, may follow.

    Returns:
        The conventions, the best first.

    Raises:
        UsageError: shapes do not fit, or several layers were given.
    """
    given = [_array(part, "samples") for part in samples]
    if len(given) < 2:
        raise UsageError(
            f"samples are {len(given)} array; give (x, y): inputs and what came of them"
        )
    x, wanted = given[0], given[1:]
    if x.ndim == 2:
        x, wanted = x[None], [y[None] for y in wanted]
    if x.ndim != 3:
        raise UsageError(f"x has {x.ndim} dimensions; give (batch, step, input) or (step, input)")
    found: dict[Convention, float] = {}
    tried = 0
    for cell, layer in _readings(weights):
        if layer.w.shape[1] != x.shape[2]:
            continue
        for convention in conventions(cell):
            tried += 1
            states, _ = run_layer(
                cell, layer.read(convention), x.transpose(1, 0, 2), convention.reset
            )
            error = max(_difference(states, y) for y in wanted)
            found[convention] = min(error, found.get(convention, float("inf")))
    if not tried:
        raise UsageError(
            f"no array fits inputs of size {x.shape[2]}; give the weights for the input (with "
            f"{x.shape[2]} rows or columns) and for the recurrence"
        )
    if all(error == float("inf") for error in found.values()):
        shapes = ", ".join(str(y.shape) for y in wanted)
        raise UsageError(
            f"outputs of {shapes} fit no layer with these weights on inputs of {x.shape}; give "
            "(batch, step, hidden) or (batch, hidden)"
        )
    ranked = sorted(found.items(), key=lambda item: item[1])
    return ConventionMatch(tuple(ranked))


def _difference(states: Array, wanted: Array) -> float:
    """Between the states of a run, (step, batch, hidden), and what was seen of them."""
    own = states.transpose(1, 0, 2)
    if wanted.shape == own.shape:
        return float(np.abs(own - wanted).max())
    last = wanted[0] if wanted.ndim == 3 and wanted.shape[0] == 1 else wanted
    if last.shape == own[:, -1].shape:
        return float(np.abs(own[:, -1] - last).max())
    return float("inf")


def _array(value: Any, what: str) -> Array:
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as reason:
        raise UsageError(
            f"{what} hold a {type(value).__name__}; give arrays of numbers"
        ) from reason
    if not np.isfinite(array).all():
        raise UsageError(f"{what} hold numbers that are not finite; give finite ones")
    return array


def _flat(weights: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in weights.items():
        name = f"{before}/{key}" if before else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, value


def _readings(weights: Any) -> Iterator[tuple[str, Weights]]:
    """The ways in which arrays can be the weights of a layer, as rows of gate blocks."""
    if isinstance(weights, Mapping):
        named = {name: _array(value, "weights") for name, value in _flat(weights)}
        if any(name.endswith(("_l1", "_l0_reverse")) for name in named):
            raise UsageError(
                "weights are those of several layers or directions; give one layer in "
                "one direction, "
                "with the inputs and outputs of it"
            )
        per_gate = _flax(named)
        if per_gate is not None:
            yield per_gate
            return
        arrays = _ordered(named)
    elif isinstance(weights, Sequence) and not isinstance(weights, (str, bytes)):
        arrays = [_array(value, "weights") for value in weights]
    else:
        raise UsageError(
            f"weights are a {type(weights).__name__}; give a mapping of names to "
            f"arrays, or arrays in "
            "a row"
        )
    arrays = [a[0] if a.ndim == 3 and a.shape[0] == 1 else a for a in arrays]
    if len(arrays) < 2 or arrays[0].ndim != 2 or arrays[1].ndim != 2:
        raise UsageError(
            "weights need a matrix for the input and one for the recurrence, first of all; shapes "
            f"came as {[a.shape for a in arrays]}"
        )
    w, u, *biases = arrays
    for cell, count in (("rnn", 1), ("gru", 3), ("lstm", 4)):
        for size_axis in (0, 1):
            if u.shape[size_axis] != count * u.shape[1 - size_axis]:
                continue
            hidden = u.shape[1 - size_axis]
            rows_u = u if size_axis == 0 else u.T
            for rows_w in (w, w.T):
                if rows_w.shape[0] != count * hidden:
                    continue
                b, r = _biases(biases, count * hidden)
                if b is not None and r is not None:
                    yield cell, Weights(rows_w, rows_u, b, r)


def _biases(biases: list[Array], size: int) -> tuple[Array | None, Array | None]:
    if not biases:
        return np.zeros(size), np.zeros(size)
    joined = np.concatenate([bias.reshape(-1) for bias in biases])
    if joined.size == size:
        return joined, np.zeros(size)
    if joined.size == 2 * size:
        return joined[:size], joined[size:]
    return None, None


def _ordered(named: dict[str, Array]) -> list[Array]:
    """Arrays in a row: for the input, for the recurrence, biases."""

    def rank(name: str) -> int:
        last = name.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
        low = last.lower()
        if "bias" in low or last in ("B", "b") or low.startswith("b_"):
            return 3 if "hh" in low or "recurrent" in low else 2
        if "recurrent" in low or "hh" in low or last in ("R", "U"):
            return 1
        return 0

    return [named[name] for name in sorted(named, key=rank)]


def _flax(named: dict[str, Array]) -> tuple[str, Weights] | None:
    """Flax keeps a kernel per gate: ii, if, ig, io and hi, hf, hg, ho; or ir, iz, in; or i, h."""
    kernels: dict[str, Array] = {}
    biases: dict[str, Array] = {}
    for name, array in named.items():
        parts = name.replace(".", "/").split("/")
        if len(parts) < 2:
            continue
        (kernels if parts[-1] == "kernel" else biases)[parts[-2]] = array
    for cell, gates in (("lstm", "ifgo"), ("gru", "rzn"), ("rnn", "")):
        pairs = [(f"i{gate}", f"h{gate}") for gate in gates] or [("i", "h")]
        if not all(a in kernels and b in kernels for a, b in pairs):
            continue

        def bias(name: str, size: int) -> Array:
            return biases.get(name, np.zeros(size))

        sizes = [kernels[b].shape[1] for _, b in pairs]
        return cell, Weights(
            np.concatenate([kernels[a].T for a, _ in pairs]),
            np.concatenate([kernels[b].T for _, b in pairs]),
            np.concatenate([bias(a, n) for (a, _), n in zip(pairs, sizes, strict=True)]),
            np.concatenate([bias(b, n) for (_, b), n in zip(pairs, sizes, strict=True)]),
        )
    return None
