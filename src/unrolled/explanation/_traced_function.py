"""Which states the result of a function holds, found by giving the layer's tensors other values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from ..errors import UsageError
from ..grid import Layout, StackShape
from ._address_tensor import NOTHING
from ._function_call import WithoutDropout, at_rest, call_function
from ._recurrent_layer import stack_shape
from ._selection_part import MAKINGS, Making
from ._state_codes import Integers, StateCodes

RUNS = 8
MOST_GRADIENTS = 4096
MOST_STATES = 2_000_000


def _bit(name: Making) -> np.uint8:
    return np.uint8(1 << MAKINGS.index(name))


class TracedFunction:
    """Runs a function in which a layer is called once, and finds what the result is made of.

    In place of what the layer computed, each unit of each state gets a value that no other has.
    An element of the result that has the value of the same unit in all runs is that unit. Where it
    has the value of one unit in one run and of another in the next, it was chosen by its value. Of
    every other element the gradient tells which units it comes from.

    Attributes:
        codes: what the codes of the sources mean.
        lengths: the steps that the layer took of each sample.
        sources: the codes of each element of the result, (*shape, source).
        by: what made each element, a bit for each of `MAKINGS`.
        unseen: how many elements were too many to be followed.
        called: the input of the layer, its initial state and the lengths it was told.
    """

    def __init__(self, function: Callable[..., Any], layer: Any, x: Any, lengths: Any) -> None:
        self.layer = layer
        self.shape: StackShape = stack_shape(layer)
        self.codes: StateCodes | None = None  # known once the layer is called
        self.lengths: tuple[int, ...] = ()
        self.calls = 0
        self.leaf: Tensor | None = None
        self.called: tuple[Any, Any, Any] = (None, None, None)
        self.values: list[npt.NDArray[Any]] = []
        results = [self._run(function, x, lengths, run) for run in range(RUNS)]
        self.unseen = 0
        self.sources, self.by = self._found(results)

    def _run(
        self, function: Callable[..., Any], x: Any, lengths: Any, run: int
    ) -> tuple[Tensor, Tensor]:
        """The result with the values of one run, and the leaf that holds those values."""
        self.calls, self.leaf = 0, None
        chance = torch.Generator().manual_seed(run)
        handle = self.layer.register_forward_hook(
            lambda module, given, named, returned: self._other(chance, given, named, returned),
            with_kwargs=True,
        )
        try:
            with (
                torch.random.fork_rng(devices=[]),
                torch.enable_grad(),
                at_rest(function),
                WithoutDropout(),
            ):
                torch.manual_seed(0)
                found = call_function(function, x, lengths)
        finally:
            handle.remove()
        if self.leaf is None:
            raise UsageError(
                "the function did not call the layer; give one that runs it on x, such as "
                "lambda x: layer(x)[0][:, -1]"
            )
        if not isinstance(found, Tensor):
            raise UsageError(
                f"the function returned {_described(found)}; return the one tensor to explain"
            )
        if found.layout != torch.strided:
            found = found.to_dense()
        if not found.is_floating_point():
            raise UsageError(
                f"the function returned a tensor of {found.dtype}, which holds no states; return "
                "one of floating-point numbers"
            )
        return found, self.leaf

    def _other(
        self, chance: torch.Generator, given: tuple[Any, ...], named: dict[str, Any], returned: Any
    ) -> Any:
        """What the layer returns, with values of ours."""
        self.calls += 1
        if self.calls > 1:
            raise UsageError(
                "the function calls the layer more than once; explain one call, with a function "
                "that makes that one only"
            )
        output, state = returned
        hidden, cell = state if isinstance(state, tuple) else (state, None)
        if hidden.dtype not in (torch.float32, torch.float64):
            raise UsageError(
                f"the layer computes in {hidden.dtype}, which has too few numbers to tell states "
                "apart; call .float() on the model and its input"
            )
        x = given[0] if given else named["input"]
        packed = isinstance(x, PackedSequence)
        told = named.get("lengths", given[2] if len(given) > 2 else None)
        self.called = (x, named.get("hx", given[1] if len(given) > 1 else None), told)
        batched, steps, self.lengths = _sizes(self.layer, x, told)
        if not self.lengths:
            raise UsageError("the layer was given no samples; give an x of at least one")
        self.codes = StateCodes(self.shape, steps, len(self.lengths))
        layout = Layout(
            self.shape.num_layers,
            self.shape.bidirectional,
            steps=steps,
            lengths=list(self.lengths),
            batch_first=bool(self.layer.batch_first) and not packed,
        )
        size = self.codes.padding + len(self.lengths)
        if size > MOST_STATES:
            raise UsageError(
                f"the run has {size:,} units of states and at most {MOST_STATES:,} are followed; "
                "give an x of fewer steps or samples"
            )
        leaf = _values_apart(size, chance).to(hidden.device, hidden.dtype)
        self.values.append(leaf.cpu().numpy())
        self.leaf = leaf.requires_grad_()

        def filled(codes: Integers, axis: int) -> Tensor:
            tensor = leaf[torch.from_numpy(codes).to(leaf.device)]
            return tensor if batched else tensor.squeeze(axis)

        # Unbatched, `output` is (step, ...), whatever batch_first says.
        columns = self.codes.output(layout)
        if layout.batch_first and not batched:
            columns = columns.swapaxes(0, 1)
        other: Any = filled(columns, 1)
        if packed:
            other = _packed_like(other, output)
        states = filled(self.codes.hidden_state(layout), 1)
        if cell is None:
            return other, states
        return other, (states, filled(self.codes.cell_state(layout), 1))

    def _found(
        self, results: Sequence[tuple[Tensor, Tensor]]
    ) -> tuple[Integers, npt.NDArray[np.uint8]]:
        shapes = {tuple(found.shape) for found, _ in results}
        if len(shapes) > 1:
            raise UsageError(
                "the function returns another shape when the values of the states change; "
                "explain the tensor it depends on"
            )
        (shape,) = shapes
        values = [found.detach().cpu().double().numpy().reshape(-1) for found, _ in results]
        codes = np.stack([_codes_of(*pair) for pair in zip(values, self.values, strict=True)])
        zero = np.stack(values) == 0
        rows: list[tuple[list[int], np.uint8]] = []
        followed = 0
        firsts = [(found.reshape(-1), leaf) for found, leaf in results[:2]]
        for place in range(codes.shape[1]):
            held = codes[:, place]
            real = sorted(set(held[held >= 0].tolist()))
            if len(real) == 1 and (held >= 0).all():
                rows.append((real, np.uint8(0)))
            elif len(real) > 1 and ((held >= 0) | zero[:, place]).all():
                # No state is 0: a run in which the result is 0 chose padding.
                beside = [] if (held >= 0).all() else [self._padding_beside(real[0])]
                rows.append(([*real, *beside], _bit("chosen")))
            elif followed < MOST_GRADIENTS:
                followed += 1
                rows.append(self._by_gradient(firsts, place))
            else:
                self.unseen += 1
                rows.append(([], _bit("computed")))
        for place, sample in self._unpacked_padding(rows, zero.all(axis=0), shape):
            rows[place] = ([self._known().padding + sample], np.uint8(0))
        width = max((len(row) for row, _ in rows), default=1) or 1
        sources = np.full((len(rows), width), NOTHING, np.int64)
        for place, (row, _) in enumerate(rows):
            sources[place, : len(row)] = row
        by = np.array([bit for _, bit in rows], np.uint8)
        return sources.reshape(*shape, width), by.reshape(shape)

    def _unpacked_padding(
        self,
        rows: Sequence[tuple[list[int], np.uint8]],
        zero: npt.NDArray[np.bool_],
        shape: tuple[int, ...],
    ) -> list[tuple[int, int]]:
        """The elements that are padding, and of which sample, where a packed output was unpacked.

        Packed, no padding leaves the layer that could be followed: pad_packed_sequence makes its
        zeros. They are known by the row, all 0, of a shorter sample, where the other elements
        tell which axis is the batch.
        """
        codes = self._known()
        if not isinstance(self.called[0], PackedSequence) or len(shape) < 2 or zero.size == 0:
            return []
        empty = np.all(zero.reshape(-1, shape[-1]), axis=1)
        alone = np.array([row[0] if len(row) == 1 else -1 for row, _ in rows])
        alone = alone.reshape(empty.size, -1)
        real = (alone >= 0) & (alone < codes.padding)
        samples = alone // int(np.prod(codes.axes[1:]))
        place = np.indices(shape[:-1]).reshape(len(shape) - 1, -1)
        for axis, size in enumerate(shape[:-1]):
            index = np.broadcast_to(place[axis][:, None], alone.shape)
            if size == codes.batch and real.any() and (samples[real] == index[real]).all():
                return [
                    (int(row) * shape[-1] + column, int(place[axis][row]))
                    for row in np.flatnonzero(empty)
                    if self.lengths[place[axis][row]] < codes.steps
                    for column in range(shape[-1])
                ]
        return []

    def _by_gradient(
        self, results: Sequence[tuple[Tensor, Tensor]], place: int
    ) -> tuple[list[int], np.uint8]:
        """The units that move an element, and whether it is their sum or mean."""
        slopes = []
        for found, leaf in results:
            if not found.requires_grad:
                return [], _bit("computed")
            (slope,) = torch.autograd.grad(found[place], leaf, retain_graph=True, allow_unused=True)
            if slope is None:
                return [], _bit("computed")
            slopes.append(slope.double().cpu().numpy())
        moved = [np.flatnonzero(slope) for slope in slopes]
        if np.array_equal(moved[0], moved[-1]) and moved[0].size:
            made = self._linear(results, place, moved[0], [slope[moved[0]] for slope in slopes])
            if made is not None:
                return made
        return self._one_unit_each(np.union1d(moved[0], moved[-1])), _bit("computed")

    def _linear(
        self,
        results: Sequence[tuple[Tensor, Tensor]],
        place: int,
        moved: Integers,
        weights: Sequence[npt.NDArray[np.float64]],
    ) -> tuple[list[int], np.uint8] | None:
        """The sources of an element that is just the sum of its units, or their mean."""
        for (found, _), values, weight in zip(results, self.values, weights, strict=False):
            total = float((weight * values[moved].astype(np.float64)).sum())
            if not np.isclose(found[place].item(), total, rtol=1e-4, atol=1e-5):
                return None
        real = moved < self._known().padding
        if not real.any():
            return None
        share = float(weights[0][real][0])
        if not all(np.allclose(weight[real], share) for weight in weights):
            return None
        if np.isclose(share, 1) and moved.size > 1:
            return moved.tolist(), _bit("sum")
        parts = 1 / share if share else 0.0
        if parts < 1.5 or not np.isclose(parts, round(parts), rtol=1e-4):
            return None
        steps = round(parts)
        if steps < real.sum():
            return None
        if steps == moved.size or not real.all():
            return moved.tolist(), _bit("mean")
        # It divides by more than there are: padding that became 0 on the way.
        return [*moved.tolist(), self._padding_beside(int(moved[0]))], _bit("mean")

    def _padding_beside(self, code: int) -> int:
        """The code of padding of the sample that another code is of."""
        codes = self._known()
        return codes.padding + code // int(np.prod(codes.axes[1:]))

    def _known(self) -> StateCodes:
        if self.codes is None:
            raise RuntimeError("the layer has not been called; this is a defect.")
        return self.codes

    def _one_unit_each(self, moved: Integers) -> list[int]:
        """One unit for each state: a computed element mostly comes from all of them."""
        codes = self._known()
        units = codes.axes[-1]
        states = np.where(moved < codes.padding, moved // units * units, moved)
        return [int(code) for code in np.unique(states)]


def _values_apart(count: int, chance: torch.Generator) -> Tensor:
    """Numbers apart from each other, so that a value tells its unit, and none is 0, as padding is.

    They are not spread evenly: a sum of evenly spread values could be the value of another unit.
    """
    places = torch.randperm(count, generator=chance).double()
    aside = 0.4 * (2 * torch.rand(count, generator=chance, dtype=torch.float64) - 1)
    even = count + count % 2
    return (places + 0.5 + aside) / even * 2 - 1


def _codes_of(found: npt.NDArray[Any], values: npt.NDArray[Any]) -> Integers:
    """The code whose value each element has; -1 where none has it."""
    order = np.argsort(values)
    place = np.clip(np.searchsorted(values[order], found), 0, values.size - 1)
    codes = order[place]
    return np.where(values[codes] == found, codes, -1)


def _sizes(layer: Any, x: Any, told: Any) -> tuple[bool, int, tuple[int, ...]]:
    """Whether there is a batch, how many steps, and how many the layer takes of each sample."""
    if isinstance(x, PackedSequence):
        _, found = pad_packed_sequence(x)
        return True, int(found.max()), tuple(int(length) for length in found)
    if x.dim() == 2:
        return False, int(x.shape[0]), (int(x.shape[0]),)
    steps, batch = (x.shape[1], x.shape[0]) if layer.batch_first else (x.shape[0], x.shape[1])
    if told is None:
        return True, int(steps), (int(steps),) * int(batch)
    return True, int(steps), tuple(int(length) for length in told)


def _packed_like(output: Tensor, packed: PackedSequence) -> PackedSequence:
    """(step, batch, ...) packed in the order of another."""
    order = packed.sorted_indices
    rows = []
    for step, size in enumerate(packed.batch_sizes.tolist()):
        samples = torch.arange(size) if order is None else order[:size]
        rows.append(output[step, samples])
    return PackedSequence(
        torch.cat(rows), packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    )


def _described(found: Any) -> str:
    if isinstance(found, PackedSequence):
        return "a PackedSequence, which pad_packed_sequence unpacks"
    if isinstance(found, tuple | list | dict):
        return f"a {type(found).__name__} of {len(found)}"
    return f"something of type {type(found).__name__}"
