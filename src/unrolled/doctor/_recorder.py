"""Watches a model run, from outside: its recurrent layers, softmaxes, views and embeddings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from .. import nn as ours
from ..grid import StateGrid
from ._layer_run import AttentionCall, LayerRun, Lookup, PaddedAgain, Reshape, SoftmaxCall, cut
from ._operations import Operations
from ._time_limit import OutOfTime as OutOfTime

if TYPE_CHECKING:
    from ._ids_traced import Origin

_STACKS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "rnn", "rnn_relu": "rnn"}
_CELLS = {f"{name}_cell": cell for name, cell in _STACKS.items()}
_OUR_STACKS = (ours.RNN, ours.GRU, ours.LSTM)
_OUR_CELLS = (ours.RNNCell, ours.GRUCell, ours.LSTMCell)
_OUR_NAMES = {
    ours.RNN: "rnn",
    ours.GRU: "gru",
    ours.LSTM: "lstm",
    ours.RNNCell: "rnn",
    ours.GRUCell: "gru",
    ours.LSTMCell: "lstm",
}
_CONVERSIONS = {"to", "float", "double", "type", "type_as"}
_RESHAPES = {"view", "reshape", "flatten", "unflatten"}


class Recorder(TorchFunctionMode):
    """What one run of a model did.

    Args:
        model: whose submodules are named.
        cutting: whether what recurrent layers and embeddings give is cut from what they read.
        deadline: by `time.monotonic`; past it the run is left.
    """

    def __init__(self, model: nn.Module, *, cutting: bool, deadline: float) -> None:
        super().__init__()
        self.model = model
        self.cutting = cutting
        self.deadline = deadline
        self.runs: list[LayerRun] = []
        self.softmaxes: list[SoftmaxCall] = []
        self.reshapes: list[Reshape] = []
        self.padded: list[PaddedAgain] = []
        self.lookups: list[Lookup] = []
        self.made_of: Mapping[int, tuple[Origin, ...]] = {}
        """By lookup: what its symbols were made of, where that is known from other runs."""
        self.operations = Operations()
        self.packed_steps_first: bool | None = None
        self.one_hots: list[tuple[Tensor, Tensor]] = []
        self.attentions: list[AttentionCall] = []
        self.place: list[str] = []
        self.asleep = 0

    @property
    def module(self) -> str:
        """Where the model is."""
        return self.place[-1] if self.place else ""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks that know where the model is, while it runs."""
        handles = []
        unrolled: list[nn.Module] = []
        for name, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            if isinstance(module, _OUR_STACKS):
                unrolled.append(module)
                module.__dict__["unroll"] = self._unroll(name, module)
            handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
            handles.append(
                module.register_forward_hook(self._leave(), with_kwargs=True, always_call=True)
            )
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()
            for module in unrolled:
                module.__dict__.pop("unroll", None)

    def _enter(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.place.append(name)
            if isinstance(module, _OUR_STACKS + _OUR_CELLS):
                self.asleep += 1

        return hook

    def _unroll(self, name: str, module: Any) -> Any:
        """`unroll` of a layer, its states cut from its input."""
        own = type(module).unroll

        def unroll(input: Any, hx: Any = None, lengths: Any = None) -> StateGrid:
            self.asleep += 1
            try:
                states: StateGrid = own(module, input, hx, lengths)
                if isinstance(input, PackedSequence):
                    return states
                return self._grid(name, module, input, hx, lengths, states)
            finally:
                self.asleep -= 1

        return unroll

    def _grid(
        self, name: str, module: Any, input: Tensor, hx: Any, lengths: Any, states: StateGrid
    ) -> StateGrid:
        """A grid whose states are leaves: of the last layer as output, of the others as h_n."""
        hidden: Any = states.hidden
        layers, ways, steps, batch, size = hidden.shape
        output = self._cut(hidden[-1].permute(1, 2, 0, 3).reshape(steps, batch, ways * size))
        last = torch.as_tensor(states.lengths) - 1
        lanes = torch.arange(batch)
        rows = [
            hidden[layer, way, last if way == 0 else torch.zeros_like(last), lanes]
            for layer in range(layers)
            for way in range(ways)
        ]
        h_n = self._cut(torch.stack(rows))
        top = self._given(output).reshape(steps, batch, ways, size).permute(2, 0, 1, 3)
        below = (hidden.detach() if self.cutting else hidden).clone()
        given = self._given(h_n)
        for layer in range(layers - 1):
            for way in range(ways):
                at = last if way == 0 else torch.zeros_like(last)
                below[layer, way, at, lanes] = given[layer * ways + way]
        joined = torch.cat([below[:-1], top[None]])
        cell: Any = states.cell
        c_n = None
        if cell is not None:
            ends = [
                cell[layer, way, last if way == 0 else torch.zeros_like(last), lanes]
                for layer in range(layers)
                for way in range(ways)
            ]
            c_n = self._cut(torch.stack(ends))
            cells, ends_given = (cell.detach() if self.cutting else cell).clone(), self._given(c_n)
            for layer in range(layers):
                for way in range(ways):
                    at = last if way == 0 else torch.zeros_like(last)
                    cells[layer, way, at, lanes] = ends_given[layer * ways + way]
            cell = cells
        batched = input.dim() == 3
        h_0, c_0 = torch.zeros_like(h_n), None if c_n is None else torch.zeros_like(c_n)
        if hx is not None:
            h_0, c_0 = hx if c_n is not None else (hx, None)
            if not batched:
                h_0, c_0 = h_0.unsqueeze(1), None if c_0 is None else c_0.unsqueeze(1)
        seen = input.unsqueeze(1) if not batched else input
        self.runs.append(
            LayerRun(
                len(self.runs),
                name,
                _OUR_NAMES.get(type(module), "rnn"),
                False,
                layers,
                ways,
                True,
                None,
                seen.transpose(0, 1) if batched and module.batch_first else seen,
                h_0,
                c_0,
                output,
                h_n,
                c_n,
                _counts(lengths),
            )
        )
        return StateGrid(
            joined,
            cell,
            states.lengths if lengths is not None else None,
            batch_first=states.batch_first,
            batched=states.batched,
        )

    def _leave(self) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
            place = self.place.pop() if self.place else ""
            if not isinstance(module, _OUR_STACKS + _OUR_CELLS):
                return None
            self.asleep -= 1
            if result is None:
                return None
            self.asleep += 1
            try:
                return self._ours(place, module, args, kwargs, result)
            finally:
                self.asleep -= 1

        return hook

    def _cut(self, tensor: Any) -> Any:
        return cut(tensor) if self.cutting and isinstance(tensor, Tensor) else tensor

    def _given(self, tensor: Any) -> Any:
        """What the model gets of a leaf: a copy, which it may write into."""
        return tensor.clone() if self.cutting and isinstance(tensor, Tensor) else tensor

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Watch one function of PyTorch being called."""
        kwargs = kwargs or {}
        if time.monotonic() > self.deadline:
            raise OutOfTime
        name = getattr(func, "__name__", "")
        if self.asleep:
            return func(*args, **kwargs)
        if name == "_set_grad_enabled":
            return None  # who reads what is seen through gradients, so they stay on
        if name in _STACKS and len(args) >= 8:
            return self._stack(_STACKS[name], func, args)
        if name in _CELLS and len(args) >= 4:
            return self._cell(_CELLS[name], func, args, kwargs)
        result = func(*args, **kwargs)
        self.operations.note(name, args, kwargs, result)
        if name == "embedding" and len(args) >= 2:
            return self._embedding(args, result)
        if name == "softmax":
            self._softmax(args, kwargs, result)
        elif name in _RESHAPES and isinstance(result, Tensor) and args:
            self.reshapes.append(Reshape(self.module, args[0], result))
        elif name == "_pad_packed_sequence":
            self.padded.append(
                PaddedAgain(self.module, not args[2], self.packed_steps_first, result[0])
            )
        elif name == "_pack_padded_sequence":
            self.packed_steps_first = not args[2]
        elif name == "one_hot":
            self.one_hots.append((result, args[0]))
        elif name in _CONVERSIONS and self.one_hots and result.is_floating_point():
            for one_hot, ids in self.one_hots:
                if args[0] is one_hot:
                    return self._vectors(ids, result)
        elif name == "scaled_dot_product_attention":
            self._attention(args, kwargs, result, batch_axis=0, step_axis=result.dim() - 2)
        elif name == "multi_head_attention_forward":
            self._attention(args, kwargs, result[0], batch_axis=1, step_axis=0)
        return result

    def _stack(self, cell: str, func: Any, args: tuple[Any, ...]) -> Any:
        packed = isinstance(args[3], (list, tuple))
        if packed:
            entered, sizes, state, _, _, layers, _, _, both = args[:9]
            steps_first = True
        else:
            entered, state, _, _, layers, _, _, both, batch_first = args[:9]
            sizes, steps_first = None, not batch_first
        result = func(*args)
        output, h_n, *rest = (self._cut(tensor) for tensor in result)
        h_0, c_0 = (state[0], state[1]) if cell == "lstm" else (state, None)
        self.runs.append(
            LayerRun(
                len(self.runs),
                self.module,
                cell,
                False,
                layers,
                2 if both else 1,
                steps_first,
                sizes,
                entered,
                h_0,
                c_0,
                output,
                h_n,
                rest[0] if rest else None,
            )
        )
        return tuple(self._given(tensor) for tensor in (output, h_n, *rest))

    def _cell(self, cell: str, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        entered, state = args[:2]
        if cell == "lstm":
            h_n, c_n = (self._cut(tensor) for tensor in result)
            h_0, c_0 = state[0], state[1]
        else:
            h_n, c_n, h_0, c_0 = self._cut(result), None, state, None
        self._add_cell(self.module, cell, entered, h_0, c_0, h_n, c_n)
        given = self._given(h_n)
        return (given, self._given(c_n)) if cell == "lstm" else given

    def _add_cell(
        self, place: str, cell: str, input: Any, h_0: Any, c_0: Any, h_n: Any, c_n: Any
    ) -> None:
        self.runs.append(
            LayerRun(
                len(self.runs),
                place,
                cell,
                True,
                1,
                1,
                True,
                None,
                input,
                h_0,
                c_0,
                None,
                h_n,
                c_n,
            )
        )

    def _embedding(self, args: tuple[Any, ...], result: Tensor) -> Tensor:
        return self._vectors(args[0] if not args[0].is_floating_point() else args[1], result)

    def _vectors(self, ids: Tensor, result: Tensor) -> Tensor:
        """What symbols were turned into, cut from the table."""
        vectors: Tensor = self._cut(result) if self.cutting else result
        if not self.cutting and not vectors.requires_grad:
            vectors = cut(vectors)
        self.lookups.append(Lookup(self.module, ids.detach().clone(), vectors))
        return vectors.clone()

    def _softmax(self, args: tuple[Any, ...], kwargs: Any, result: Tensor) -> None:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if dim is None:
            dim = 0 if result.dim() in (0, 1, 3) else 1
        if isinstance(dim, int) and result.dim():
            self.softmaxes.append(SoftmaxCall(self.module, args[0], result, dim % result.dim()))

    def _attention(
        self, args: tuple[Any, ...], kwargs: Any, result: Tensor, batch_axis: int, step_axis: int
    ) -> None:
        memory = args[2] if len(args) > 2 else kwargs["value"]
        if result.dim() >= 3:
            self.attentions.append(
                AttentionCall(self.module, memory, result, batch_axis, step_axis)
            )

    def _ours(self, place: str, module: Any, args: Any, kwargs: Any, result: Any) -> Any:
        """A layer of `unrolled.nn`, whose operators are its own affair."""
        cell = _OUR_NAMES.get(type(module), "rnn")
        names = ("input", "hx", "lengths")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        given_input, state = given["input"], given.get("hx")
        if isinstance(module, _OUR_CELLS):
            if cell == "lstm":
                h_n, c_n = (self._cut(tensor) for tensor in result)
            else:
                h_n, c_n = self._cut(result), None
            zeros = torch.zeros_like(h_n)
            h_0, c_0 = zeros, None
            if cell == "lstm":
                h_0, c_0 = state if state is not None else (zeros, torch.zeros_like(c_n))
            elif state is not None:
                h_0 = state
            self._add_cell(place, cell, given_input, h_0, c_0, h_n, c_n)
            given_h = self._given(h_n)
            return (given_h, self._given(c_n)) if cell == "lstm" else given_h
        output, final = result
        packed = output if isinstance(output, PackedSequence) else None
        sizes = packed.batch_sizes if packed is not None else None
        batched = packed is not None or given_input.dim() == 3

        def ordered(tensor: Any) -> Any:
            """A state as the run holds it: with a batch, and in the order of a pack."""
            if tensor is None or (batched and (packed is None or packed.sorted_indices is None)):
                return tensor
            return tensor.index_select(1, packed.sorted_indices) if packed else tensor.unsqueeze(1)

        def returned(tensor: Any) -> Any:
            given = self._given(tensor)
            if packed is not None and packed.unsorted_indices is not None:
                return given.index_select(1, packed.unsorted_indices)
            return given if batched else given.squeeze(1)

        h_n, c_n = final if cell == "lstm" else (final, None)
        h_n, c_n = self._cut(ordered(h_n)), self._cut(ordered(c_n))
        h_0, c_0 = torch.zeros_like(h_n), None if c_n is None else torch.zeros_like(c_n)
        if state is not None:
            h_0, c_0 = (ordered(s) for s in (state if cell == "lstm" else (state, None)))
        data = packed.data if packed is not None else output
        data = self._cut(data if batched else data.unsqueeze(1))
        entered = given_input.data if packed is not None else given_input
        self.runs.append(
            LayerRun(
                len(self.runs),
                place,
                cell,
                False,
                module.num_layers,
                2 if module.bidirectional else 1,
                packed is not None or not module.batch_first or not batched,
                sizes,
                entered if batched else entered.unsqueeze(1),
                h_0,
                c_0,
                data,
                h_n,
                c_n,
                _counts(given.get("lengths")),
            )
        )
        given_out = self._given(data)
        if packed is not None:
            output = PackedSequence(
                given_out, sizes, packed.sorted_indices, packed.unsorted_indices
            )
        else:
            output = given_out if batched else given_out.squeeze(1)
        return output, ((returned(h_n), returned(c_n)) if cell == "lstm" else returned(h_n))


def _counts(lengths: Any) -> tuple[int, ...] | None:
    """Lengths as plain numbers."""
    if lengths is None:
        return None
    return tuple(int(length) for length in torch.as_tensor(lengths).tolist())
