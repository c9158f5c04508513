"""Calls of the compiled module with arrays of every kind, run by a test in a process of its own.

    python tests/kernels/fuzzed_calls.py SEED CALLS [MODULE]

Each call starts as one that is right. Some of its arrays are then exchanged for others: of a
wrong rank, size or type, read-only, expanded, backwards, with gaps, unaligned, empty, or one that
the call has already. What comes of it must be an error that says so, or, where every array still
says what it said before, the same numbers as of the call that was right. The last line is a count;
a crash leaves none. MODULE is the file of a module in the place of the installed one.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import numpy as np

from unrolled.kernels import _isa


def compiled_module(path: str | None = None) -> Any:
    """That of a file, or the installed one."""
    spec = path and spec_from_file_location("_native", path)
    if not spec or spec.loader is None:
        return _isa.native()
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


native = compiled_module(*sys.argv[3:])
Call = dict[str, Any]
REFUSALS = (TypeError, ValueError, IndexError, MemoryError)
BIG = 2**62
KINDS = ["forward", "backward", "stream", "scores", "elements", "product", "search"]


class Fuzz:
    """Right calls and what is done to them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.isa = self.chance.choice(native.available_isas())

    def array(self, *shape: int) -> np.ndarray:
        return self.numbers.standard_normal(shape, dtype=np.float32)

    def stack(self) -> tuple[Any, dict[str, int], Call]:
        """A stack, its sizes and the arrays of a forward run."""
        pick = self.chance.choice
        cell = pick(["rnn_tanh", "rnn_relu", "gru", "lstm"])
        gates = {"gru": 3, "lstm": 4}.get(cell, 1)
        units, size, layers, directions = (
            pick([2, 5, 17]),
            pick([0, 1, 6]),
            pick([1, 2]),
            pick([1, 2]),
        )
        projected = pick([0, 0, 1]) if cell == "lstm" else 0
        state, bias = projected or units, pick([True, False])
        made = native.Stack(cell, size, units, layers, directions, bias, projected, self.isa)
        rows, steps, batch = layers * directions, pick([1, 4]), pick([0, 1, 13])
        weights = []
        for row in range(rows):
            read = size if row < directions else directions * state
            shapes = [(gates * units, read), (gates * units, state)]
            shapes += [(gates * units,)] * (2 * bias) + [(projected, units)] * (projected > 0)
            weights.append([self.array(*shape) for shape in shapes])
        lstm = cell == "lstm"
        lengths = np.array([pick(range(1, steps + 1)) for _ in range(batch)], np.int64)
        keeps = pick([True, False])
        call: Call = {
            "weights": weights,
            "x": self.array(steps, batch, size),
            "h0": self.array(rows, batch, state),
            "c0": self.array(rows, batch, units) if lstm else None,
            "lengths": pick([None, lengths]),
            "outputs": [self.array(steps, batch, directions * state) for _ in range(layers)],
            "h_n": self.array(rows, batch, state),
            "c_n": self.array(rows, batch, units) if lstm else None,
            "cells": [
                self.array(steps, batch, units) for _ in range(rows if lstm and keeps else 0)
            ],
            "gates": [self.array(steps * batch, made.gates_row) for _ in range(rows * keeps)],
            "ids": None,
            "threads": pick([1, 2]),
        }
        for kind in ("outputs", "cells"):  # the padding is not touched
            for array in call[kind]:
                array[:] = 0
        return made, {"size": size, "rows": rows}, call

    def forward(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        stack, sizes, call = self.stack()
        if self.chance.random() < 0.3:
            call["ids"] = np.asarray(
                self.numbers.integers(0, 3, call["x"].shape[:2]), dtype=np.int64
            )
            call["x"] = self.array(3, sizes["size"])
        return bound(stack, stack.forward), call, ("outputs", "h_n", "c_n", "cells")

    def backward(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        while True:
            stack, _, call = self.stack()
            if call["gates"]:
                break
        bound(stack, stack.forward)(**call)
        pick = self.chance.choice

        def like(array: np.ndarray) -> np.ndarray:
            return self.array(*array.shape)

        keep = ("weights", "x", "h0", "c0", "lengths", "outputs", "cells", "gates")
        back: Call = {name: call[name] for name in keep}
        back["grad_outputs"] = [pick([None, like(output)]) for output in call["outputs"]]
        back["grad_h_n"] = pick([None, like(call["h0"])])
        back["grad_c_n"] = None if call["c0"] is None else pick([None, like(call["c0"])])
        back["grad_cells"] = [pick([None, like(part)]) for part in call["cells"]]
        back["grad_x"] = pick([None, np.zeros_like(call["x"])])
        back["grad_h0"] = like(call["h0"])
        back["grad_c0"] = None if call["c0"] is None else like(call["c0"])
        zeros = [[np.zeros_like(weight) for weight in row] for row in call["weights"]]
        back["gradients"] = pick([[], zeros])
        back["threads"] = pick([1, 2])
        return bound(stack, stack.backward), back, ("grad_x", "grad_h0", "grad_c0", "gradients")

    def stream(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        while True:
            stack, sizes, call = self.stack()
            if sizes["rows"] == len(call["outputs"]):  # of one direction
                break
        batch = call["x"].shape[1]
        x = self.array(1, batch, sizes["size"])
        outputs = [np.zeros_like(output[:1]) for output in call["outputs"]]

        def run(**arguments: Any) -> None:
            stream = native.Stream(stack, **arguments)
            stream.step()
            stream.step()

        arguments: Call = {
            "weights": call["weights"],
            "x": x,
            "h": call["h0"],
            "c": call["c0"],
            "outputs": outputs,
            "threads": call["threads"],
        }
        return run, arguments, ("h", "c", "outputs")

    def scores(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        pick = self.chance.choice
        batch, count, steps, size = (
            pick([0, 1, 3]),
            pick([0, 1, 4]),
            pick([0, 1, 5]),
            pick([0, 3, 17]),
        )
        call: Call = {
            "queries": self.array(batch, count, size),
            "keys": self.array(batch, steps, size),
            "mask": self.numbers.random((batch, steps)) < 0.7,
            "energy": self.array(size),
            "scores": self.array(batch, count, steps),
            "isa": self.isa,
            "threads": pick([1, 2]),
        }
        return native.additive_scores, call, ("scores",)

    def elements(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        count = self.chance.choice([0, 1, 40])
        call = {"from": self.array(count), "to": self.array(count), "isa": self.isa}
        return self.chance.choice([native.sigmoid, native.tanh]), call, ("to",)

    def product(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        pick = self.chance.choice
        rows, columns, depth = pick([0, 1, 9]), pick([0, 1, 20]), pick([0, 1, 8])
        to = np.zeros((rows, columns), np.float32)

        def run(weight: Any, bias: Any, isa: Any, a: Any) -> None:
            found = native.PackedMatrix(weight, bias, isa).multiply(a)
            if found.shape == to.shape:
                to[:] = found

        call: Call = {
            "weight": self.array(columns, depth),
            "bias": pick([None, self.array(columns)]),
            "isa": self.isa,
            "a": self.array(rows, depth),
        }

        run.to = to  # type: ignore[attr-defined]
        return run, call, ()

    def search(self) -> tuple[Callable[..., None], Call, tuple[str, ...]]:
        pick = self.chance.choice
        cell = pick(["rnn_tanh", "rnn_relu", "gru", "lstm"])
        gates = {"gru": 3, "lstm": 4}.get(cell, 1)
        units, layers, bias, feeds_input = pick([2, 17]), pick([1, 2]), pick([0, 1]), pick([0, 1])
        symbols, embedding, attentional = pick([4, 9]), pick([0, 1, 6]), pick([0, 1, 20])
        has_query, has_key = pick([True, False]), pick([True, False])
        memory = pick([1, 5]) if has_query or has_key else units
        key = (pick([0, 1, 9]) if has_key else memory) if has_query else units
        read = embedding + feeds_input * attentional
        made = native.Stack(cell, read, units, layers, 1, bool(bias), 0, self.isa)
        weights = []
        for layer in range(layers):
            shapes = [(gates * units, units if layer else read), (gates * units, units)]
            weights.append([self.array(*shape) for shape in shapes + [(gates * units,)] * 2 * bias])
        count, steps, beam_size = pick([0, 1, 7]), pick([1, 4]), pick([1, 3])
        n_best = pick([1, beam_size])

        def numbers(least: int, most: int) -> np.ndarray:
            return np.array([pick(range(least, most + 1)) for _ in range(count)], np.int64)

        call: Call = {
            "weights": weights,
            "embedding": self.array(symbols, embedding),
            "query": self.array(key, units) if has_query else None,
            "energy": self.array(key) if has_query else None,
            "key": self.array(key, memory) if has_key else None,
            "key_bias": pick([None, self.array(key)]) if has_key else None,
            "from_memory": self.array(attentional, memory),
            "from_state": self.array(attentional, units),
            "vocabulary": self.array(symbols, attentional),
            "vocabulary_bias": self.array(symbols),
            "memory": self.array(steps, count, memory),
            "lengths": numbers(1, steps),
            "h0": self.array(layers, count, units),
            "c0": self.array(layers, count, units) if cell == "lstm" else None,
            "limits": numbers(0, 4),
            "feeds_input": bool(feeds_input),
            "beam_size": beam_size,
            "n_best": n_best,
            "length_penalty": pick([0.0, 0.7]),
            "begin": 1,
            "end": 2,
            "never": [0, 1, 3],
            "keeps_weights": pick([True, False]),
            "threads": pick([1, 2]),
        }
        to = np.zeros((count, n_best, 3))

        def run(**arguments: Any) -> None:
            found, _ = native.search(made, native.DecoderPacks(), **arguments)
            if len(found) != count or any(len(hypotheses) > n_best for hypotheses in found):
                return
            for source, hypotheses in enumerate(found):
                for place, (written, score, _, attention) in enumerate(hypotheses):
                    read_first = 0 if attention is None else attention[:, 0].sum()
                    to[source, place] = score, sum(written), read_first

        run.to = to  # type: ignore[attr-defined]
        return run, call, ()

    def changed(self, array: Any, others: list[np.ndarray]) -> Any:
        """Something in the place of an array."""
        if isinstance(array, int):
            return self.chance.choice([0, -1, BIG, 2**64 - 1, 1.5, None, "2"])
        if isinstance(array, str):
            return self.chance.choice(["mmx", "", None, 3])
        if not isinstance(array, np.ndarray):
            return self.chance.choice([self.array(2), 0, "none"])
        changes: list[Callable[[], Any]] = [
            lambda: None,
            lambda: "array",
            lambda: array.tolist(),
            lambda: array.astype(np.float64),
            lambda: array.astype(np.int32),
            lambda: array.astype(np.float16),
            lambda: array.astype(array.dtype.newbyteorder()),
            lambda: array[None],
            lambda: array[..., None],
            lambda: array[0] if array.ndim and len(array) else array[None],
            lambda: np.concatenate([array, array]) if array.ndim else array,
            lambda: array[:-1],
            lambda: array[..., :-1],
            lambda: np.zeros((0, *array.shape[1:]), array.dtype),
            lambda: np.zeros((*array.shape[:-1], 0), array.dtype),
            lambda: (
                np.empty((2**40, *[0] * (array.ndim - 1)), array.dtype) if array.ndim > 1 else array
            ),
            lambda: (
                np.empty((1, 2**40, *[0] * (array.ndim - 2)), array.dtype)
                if array.ndim > 2
                else array
            ),
            lambda: np.broadcast_to(array[:1], (2**40, *array.shape[1:])),
            lambda: read_only(array),
            lambda: backwards(array, 0),
            lambda: backwards(array, -1),
            lambda: array.swapaxes(0, -1).copy().swapaxes(0, -1),
            lambda: gaps(array),
            lambda: unaligned(array),
            lambda: expanded(array),
            lambda: self.chance.choice(others),
            lambda: self.chance.choice(others).reshape(-1)[: array.size].reshape(array.shape),
        ]
        try:
            return self.chance.choice(changes)()
        except (ValueError, IndexError):
            return array


def bound(stack: Any, method: Callable[..., None]) -> Callable[..., None]:
    """A method of a stack that takes arrays of weights."""

    def run(weights: Any, **arguments: Any) -> None:
        method(stack.bind(weights), **arguments)

    return run


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def backwards(array: np.ndarray, axis: int) -> np.ndarray:
    return np.flip(np.flip(array, axis).copy(), axis)


def gaps(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1] + 3), array.dtype)
    view = wide[..., 1 : 1 + array.shape[-1]]
    view[...] = array
    return view


def unaligned(array: np.ndarray) -> np.ndarray:
    room = np.zeros(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def expanded(array: np.ndarray) -> np.ndarray:
    strides = (0, *array.strides[1:])
    return np.lib.stride_tricks.as_strided(array.copy(), array.shape, strides)


def flat(value: Any) -> list[np.ndarray]:
    """The arrays in an argument."""
    if isinstance(value, list):
        return [array for part in value for array in flat(part)]
    return [value] if isinstance(value, np.ndarray) else []


def copied(value: Any) -> Any:
    if isinstance(value, list):
        return [copied(part) for part in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def exchanged(value: Any, change: Callable[[Any], Any], chance: random.Random) -> Any:
    """The argument with one array of it changed, or with a part more or less."""
    if not isinstance(value, list):
        return change(value)
    if not value or chance.random() < 0.15:
        return chance.choice([value[:-1], [*value, *value[-1:]], [], None, value * 3])
    at = chance.randrange(len(value))
    return [*value[:at], exchanged(value[at], change, chance), *value[at + 1 :]]


def same(first: Any, second: Any) -> bool:
    """Whether an argument says what it said."""
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        # What lies before the end of a huge array is not looked at.
        equal_shape = first.shape == second.shape and first.dtype == second.dtype
        return equal_shape and bool(np.array_equal(first, second, equal_nan=True))
    return first is second


def one_call(seed: int) -> str:
    """What came of one call."""
    fuzz = Fuzz(seed)
    kind = fuzz.chance.choice(KINDS)
    function, call, written = getattr(fuzz, kind)()
    expected = copied(call)
    function(**expected)
    right = function.to.copy() if hasattr(function, "to") else None
    call = copied(call)
    others = [array for value in call.values() for array in flat(value)]
    wrong = dict(call)
    for name in fuzz.chance.sample(sorted(call), fuzz.chance.choice([1, 1, 2])):
        wrong[name] = exchanged(call[name], lambda a: fuzz.changed(a, others), fuzz.chance)
    inputs = [name for name in call if name not in (*written, "threads", "isa")]
    still_right = all(same(call[name], wrong[name]) for name in inputs)
    if kind == "backward" and not call["gradients"]:
        still_right = still_right and not wrong["gradients"]
    wanted = [len(flat(call[name])) == len(flat(wrong[name])) for name in written]
    where = f"{kind}, seed {seed}"
    if kind == "backward":  # gradients are added to what is there
        for name in ("grad_x", "gradients"):
            for array in flat(wrong[name]):
                if array.flags.writeable and array.size < 1e6 and wrong[name] is not call[name]:
                    still_right = False
    if kind == "stream" and any(wrong[name] is not call[name] for name in ("h", "c")):
        still_right = False  # states are read too
    if kind in ("forward", "stream") and wrong["outputs"] is not call["outputs"]:
        still_right = False  # of ragged batches the padding is left as it is
    if kind == "forward" and wrong["cells"] is not call["cells"]:
        still_right = False
    print(where, file=sys.stderr, flush=True)
    try:
        function(**wrong)
    except REFUSALS as error:
        text = str(error)
        if not isinstance(error, MemoryError) and len(text) < 12:
            raise RuntimeError(f"{where}: {text!r} says nothing") from error
        return f"{kind} refused"
    if not still_right or not all(wanted):
        return f"{kind} other"
    found = [wrong[name] for name in written] + ([] if right is None else [function.to])
    answers = [expected[name] for name in written] + ([] if right is None else [right])
    for one, other in zip(found, answers, strict=True):
        for a, b in zip(flat(one), flat(other), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=where)
    return f"{kind} right"


def main(seed: int, calls: int) -> None:
    counts = Counter(one_call(seed + number) for number in range(calls))
    print(sum(counts.values()), dict(sorted(counts.items())))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
