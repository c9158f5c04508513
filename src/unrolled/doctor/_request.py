"""What `diagnose` was asked, each argument of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from ..errors import UsageError
from ._check import Check
from ._checks import CHECKS
from ._example_reading import read_examples
from ._examples import Examples
from ._given_value import shown
from ._reading import Reading

_TAKEN = (
    "give what the model is called with: tensors of floats or ids, packed sequences, and tuples, "
    "lists and dicts of them"
)


@dataclass(frozen=True, eq=False)
class Request:
    """A model, the inputs of one call, what is known of them, and what to look for."""

    module: nn.Module
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    lengths: Any
    batch_dim: int | None
    time_dim: int | None
    target: Tensor | None
    checks: tuple[Check, ...]

    @property
    def has_examples(self) -> bool:
        """Whether there is anything to call the model with."""
        return bool(self.args or self.keywords)

    @property
    def says_dims(self) -> bool:
        """Whether the batch or time was named."""
        return self.batch_dim is not None or self.time_dim is not None

    def examples(self, dtype: Any, reading: Reading) -> Examples:
        """The inputs, read for what each is.

        Args:
            dtype: of their floats.
            reading: what the model says of its arguments.

        Raises:
            UsageError: they hold no sample or step, or the hints do not fit them.
        """
        return read_examples(
            self.args,
            self.keywords,
            lengths=self.lengths,
            batch_dim=self.batch_dim,
            time_dim=self.time_dim,
            dtype=dtype,
            reading=reading,
        )


def read_request(
    module: Any,
    args: tuple[Any, ...],
    *,
    keywords: Any,
    lengths: Any,
    batch_dim: Any,
    time_dim: Any,
    target: Any,
    checks: Any,
) -> Request:
    """The arguments of `diagnose`, looked at.

    Args:
        module: of PyTorch.
        args: example inputs by their place.
        keywords: and by their name.
        lengths: real steps of each sample.
        batch_dim: of sequences.
        time_dim: of sequences.
        target: what the model should give.
        checks: codes.

    Raises:
        UsageError: an argument is not of its kind.
    """
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"diagnose takes a torch.nn.Module and got a {type(module).__name__}; give the model "
            "itself, then the inputs of one call"
        )
    named = _keywords(keywords)
    _check_inputs(args, named)
    for name, dim in (("batch_dim", batch_dim), ("time_dim", time_dim)):
        if dim is not None and (type(dim) is not int or dim < 0):
            raise UsageError(
                f"{name} is {shown(dim)}; give the number of a dimension, 0 for the first, or "
                "leave it out"
            )
    if batch_dim is not None and batch_dim == time_dim:
        raise UsageError(
            f"batch_dim and time_dim are both {batch_dim}; samples and steps lie in different "
            "dimensions"
        )
    if target is not None and not isinstance(target, Tensor):
        raise UsageError(
            f"target is {shown(target)}; give a tensor: the symbols that come next, or "
            "the other framework's output"
        )
    return Request(module, args, named, lengths, batch_dim, time_dim, target, _chosen(checks))


def seconds_above_zero(name: str, value: Any) -> float:
    """A limit of time.

    Args:
        name: of the argument.
        value: given.

    Raises:
        UsageError: it is no number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise UsageError(f"{name} is {shown(value)}; it must be a number above 0")
    return float(value)


def _chosen(codes: Iterable[str] | None) -> tuple[Check, ...]:
    if codes is None:
        return CHECKS
    if not isinstance(codes, Iterable):
        raise UsageError(f'checks is {shown(codes)}; give codes, such as ["M01", "M10"]')
    wanted = [codes] if isinstance(codes, str) else list(codes)
    if not wanted:
        raise UsageError("checks is empty; name a code, such as M01, or leave checks out for all")
    known = [check.code for check in CHECKS]
    for code in wanted:
        if not isinstance(code, str) or code not in known:
            raise UsageError(f"no check has the code {shown(code)}; they are M01 to M30")
    return tuple(check for check in CHECKS if check.code in wanted)


def _keywords(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(
            f"keywords is {shown(given)}; give a dict of arguments by their name, such "
            'as {"mask": mask}'
        )
    for name in given:
        if not isinstance(name, str):
            raise UsageError(f"keywords has the key {shown(name)}; its keys are names of arguments")
    return dict(given)


def _check_inputs(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
    """Refuse inputs in which nothing can be followed."""
    found = False
    inputs = [(_place(k, len(args)), value) for k, value in enumerate(args)]
    for name, value in [*inputs, *keywords.items()]:
        for leaf in _leaves(name, value):
            if isinstance(leaf, np.ndarray) and not (leaf.ndim == 1 and leaf.dtype.kind in "iu"):
                raise UsageError(
                    f"{name} is a NumPy array; diagnose takes tensors, so give torch.from_numpy of "
                    "it"
                )
            if isinstance(leaf, Tensor) and leaf.is_meta:
                raise UsageError(f"{name} is on the meta device and holds no numbers; give some")
            whole = isinstance(leaf, int) and not isinstance(leaf, bool)
            found = found or whole or isinstance(leaf, (Tensor, PackedSequence))
    if (inputs or keywords) and not found:
        name, value = [*inputs, *keywords.items()][0]
        raise UsageError(f"{name} is {shown(value)}, and no input is a tensor; {_TAKEN}")


def _leaves(name: str, value: Any) -> list[Any]:
    try:
        return pytree.tree_leaves(value, is_leaf=lambda v: isinstance(v, PackedSequence))
    except RecursionError:
        raise UsageError(
            f"{name} holds itself, or more than it can be followed into; give tensors, and tuples, "
            "lists and dicts of them"
        ) from None


def _place(place: int, count: int) -> str:
    return f"input {place}" if count > 1 else "the input"
