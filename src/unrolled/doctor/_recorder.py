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

from ..grid import StateGrid
from ._layer_run import AttentionCall, LayerRun, Lookup, PaddedAgain, Reshape, SoftmaxCall, cut
from ._operations import Operations
from ._our_layers import OUR_CELLS, OUR_STACKS, watched_grid, watched_result
from ._run_ledger import RunLedger
from ._time_limit import OutOfTime as OutOfTime

if TYPE_CHECKING:
    from ._ids_traced import Origin

_STACKS = {"lstm": "lstm", "gru": "gru", "rnn_tanh": "rnn", "rnn_relu": "rnn"}
_CELLS = {f"{name}_cell": cell for name, cell in _STACKS.items()}
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
        self.ledger = RunLedger(cutting=cutting)
        self.runs = self.ledger.runs
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
            if isinstance(module, OUR_STACKS):
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
            if isinstance(module, OUR_STACKS + OUR_CELLS):
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
                return watched_grid(self.ledger, name, module, input, hx, lengths, states)
            finally:
                self.asleep -= 1

        return unroll

    def _leave(self) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
            place = self.place.pop() if self.place else ""
            if not isinstance(module, OUR_STACKS + OUR_CELLS):
                return None
            self.asleep -= 1
            if result is None:
                return None
            self.asleep += 1
            try:
                return watched_result(self.ledger, place, module, args, kwargs, result)
            finally:
                self.asleep -= 1

        return hook

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
        output, h_n, *rest = (self.ledger.cut(tensor) for tensor in result)
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
        return tuple(self.ledger.given(tensor) for tensor in (output, h_n, *rest))

    def _cell(self, cell: str, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        entered, state = args[:2]
        if cell == "lstm":
            h_n, c_n = (self.ledger.cut(tensor) for tensor in result)
            h_0, c_0 = state[0], state[1]
        else:
            h_n, c_n, h_0, c_0 = self.ledger.cut(result), None, state, None
        self.ledger.add_cell(self.module, cell, entered, h_0, c_0, h_n, c_n)
        given = self.ledger.given(h_n)
        return (given, self.ledger.given(c_n)) if cell == "lstm" else given

    def _embedding(self, args: tuple[Any, ...], result: Tensor) -> Tensor:
        return self._vectors(args[0] if not args[0].is_floating_point() else args[1], result)

    def _vectors(self, ids: Tensor, result: Tensor) -> Tensor:
        """What symbols were turned into, cut from the table."""
        vectors: Tensor = self.ledger.cut(result) if self.cutting else result
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
