"""The compiled module's functions, called with what they were not made for."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kernel_builds import BASELINE, Build, needs_x86

from unrolled import kernels, nn
from unrolled.kernels._isa import native

FUZZED_CALLS = Path(__file__).with_name("fuzzed_calls.py")
KINDS = ("forward", "backward", "stream", "scores", "elements", "product", "search")

pytestmark = pytest.mark.skipif(
    kernels.why_unavailable() is not None,
    reason="there is no compiled module; runs where g++ was there at installation",
)


def python(*arguments: object, environment: Mapping[str, str] | None = None) -> Any:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def check_fuzzed_calls(printed: str) -> None:
    assert printed.startswith("1500 "), printed
    for kind in KINDS:
        assert f"'{kind} right'" in printed
        assert f"'{kind} refused'" in printed


@pytest.mark.parametrize("seed", [0, 100_000])
def test_a_call_is_right_or_refused(seed: int) -> None:
    done = python(FUZZED_CALLS, seed, 1500)
    assert done.returncode == 0, f"{done.returncode} after {done.stderr[-2000:]}"
    check_fuzzed_calls(done.stdout)


def sanitized() -> dict[str, str]:
    """The environment in which Python runs a module with sanitizers.

    The library that throws must be there before the sanitizer looks for it, and each object of
    Python must have memory of its own.
    """
    libraries = [
        subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    return {"LD_PRELOAD": " ".join(libraries), "PYTHONMALLOC": "malloc"}


def fault_of_ours(printed: str) -> str:
    """What a sanitizer found in our code; it finds that NumPy loses some memory, too."""
    return printed if "unrolled::" in printed or "csrc/" in printed else ""


# What lies behind the bindings packs a weight of 12 floats, in columns of 4.
UNCHECKED = """
import ctypes, sys
import numpy as np
module = ctypes.CDLL(sys.argv[1])
def pack(offset, columns):
    weight = np.zeros(48 + offset, np.uint8)[offset:]
    numbers = ctypes.c_size_t(columns), ctypes.c_size_t(4)
    module.pack_unchecked(ctypes.c_void_p(weight.ctypes.data), *numbers)
"""


@needs_x86
def test_no_fault_of_memory_is_found_in_calls_from_python(tmp_path: Path) -> None:
    """First kernels are called with what the bindings refuse: each fault of theirs is found."""
    flags = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    build = Build("g++", flags, [BASELINE], tmp_path, around=["-O0"])
    module = build.module("unchecked_calls", linked=["-Wl,--wrap=_ZnwmSt11align_val_t"])
    environment = sanitized()
    for call, fault in (
        ("pack(offset=0, columns=3)", ""),
        ("pack(offset=0, columns=4)", "heap-buffer-overflow"),
        ("pack(offset=1, columns=3)", "load of misaligned address"),
        ("module.lose_memory(ctypes.c_size_t(1000))", "leak of 4000 byte(s) in 1 object(s)"),
    ):
        found = fault_of_ours(
            python("-c", UNCHECKED + call, module, environment=environment).stderr
        )
        assert fault in found, found
        assert bool(found) == bool(fault), found
    done = python(FUZZED_CALLS, 0, 1500, module, environment=environment)
    assert not fault_of_ours(done.stderr), done.stderr[-6000:]
    check_fuzzed_calls(done.stdout)


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def random(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32) / 16


def gru(**sizes: Any) -> Any:
    given = {"cell": "gru", "input": 3, "units": 4, "layers": 1, "directions": 1, "projected": 0}
    return native().Stack(**given | sizes, bias=False, isa=kernels.isa().name)  # type: ignore[union-attr]


def run(stack: Any = None, weights: Any = None, **changed: Any) -> None:
    stack = stack or gru()
    bound = stack.bind(weights or [[floats(12, 3), floats(12, 4)]])
    given = {
        "x": floats(5, 2, 3),
        "h0": floats(1, 2, 4),
        "c0": None,
        "lengths": None,
        "outputs": [floats(5, 2, 4)],
        "h_n": floats(1, 2, 4),
        "c_n": None,
        "cells": [],
        "gates": [],
        "ids": None,
        "threads": 1,
    }
    stack.forward(bound, **given | changed)


def test_weights_are_those_of_the_stack_that_they_are_bound_to() -> None:
    stack, other = gru(), gru()
    bound = other.bind([[floats(12, 3), floats(12, 4)]])
    assert bound.rows == 1
    arguments = [floats(5, 2, 3), None, None, None, [floats(5, 2, 4)], STATE.copy()]
    other.forward(bound, *arguments, None, [], [], None, 1)
    with pytest.raises(ValueError, match="the weights are bound to another stack"):
        stack.forward(bound, *arguments, None, [], [], None, 1)


def test_bound_weights_keep_their_stack_and_their_memory() -> None:
    stack, weights = gru(), [[np.ones((12, 3), np.float32), np.ones((12, 4), np.float32)]]
    bound = stack.bind(weights)
    uses = sys.getrefcount(stack)
    del bound
    assert sys.getrefcount(stack) == uses - 1
    bound = stack.bind(weights)
    kept = weakref.ref(weights[0][0])
    del weights
    gc.collect()
    assert kept() is not None
    found = [floats(5, 2, 4), floats(5, 2, 4)]
    x = np.ones((5, 2, 3), np.float32)
    stack.forward(bound, x, None, None, None, [found[0]], STATE.copy(), None, [], [], None, 1)
    kept()[...] = 0  # type: ignore[index]
    stack.forward(bound, x, STATE, None, None, [found[1]], STATE.copy(), None, [], [], None, 1)
    assert found[0].any()
    assert not found[1].any()


def test_the_output_of_the_last_layer_may_be_wanted_alone() -> None:
    rng = np.random.default_rng(0)
    stack = gru(layers=2)
    bound = stack.bind(
        [[rng.random((12, size), np.float32) for size in sizes] for sizes in ((3, 4), (4, 4))]
    )
    x, h_n = rng.random((5, 2, 3), np.float32), floats(2, 2, 4)
    both, alone = [floats(5, 2, 4), floats(5, 2, 4)], [floats(5, 2, 4)]
    for outputs in (both, alone):
        stack.forward(bound, x, None, None, None, outputs, h_n, None, [], [], None, 1)
    assert alone[0].any()
    assert np.array_equal(alone[0], both[1])
    gates = [floats(10, stack.gates_row) for _ in range(2)]
    with pytest.raises(ValueError, match="outputs must be 2 arrays, not 1"):
        stack.forward(bound, x, None, None, None, alone, h_n, None, [], gates, None, 1)


STATE = floats(1, 2, 4)
LAID = floats(2, 5, 2, 4)
UNALIGNED_IDS = np.zeros(8 * 10 + 1, np.uint8)[1:].view(np.int64).reshape(5, 2)
UNALIGNED = np.zeros(8 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(1, 2, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": floats(5, 2, 4)}, r"x has shape \(5, 2, 4\); it must have \(5, 2, 3\)"),
        ({"x": floats(0, 2, 3)}, "x has 0 steps; it must have at least one"),
        ({"h0": floats(1, 3, 4)}, r"h0 has shape \(1, 3, 4\); it must have \(1, 2, 4\)"),
        ({"h0": UNALIGNED}, r"h0 has shape \(1, 2, 4\); it must have .* and aligned"),
        ({"h0": STATE, "h_n": STATE}, "h_n lies in the memory of h0; give it memory of its own"),
        ({"outputs": [LAID[0]], "h_n": LAID[0, 3:4]}, "an output lies in the memory of h_n"),
        ({"outputs": []}, "outputs must be 1 arrays, not 0"),
        (
            {"outputs": [np.lib.stride_tricks.as_strided(floats(2, 4), (5, 2, 4), (0, 16, 4))]},
            "an output has one place for several of its elements",
        ),
        ({"weights": [[floats(12, 3)]]}, "the weights of a row must be 2 arrays, not 1"),
        ({"lengths": np.array([5, 6])}, "the length of sample 1 is 6; it must be between 1 and"),
        ({"lengths": np.array([5])}, r"lengths has shape \(1,\); it must have \(2,\)"),
        ({"threads": 2**63}, "threads are 9223372036854775808; they must be at most 1024"),
        ({"c0": floats(1, 2, 5)}, r"c0 has shape \(1, 2, 5\)"),
        ({"x": floats(3, 3), "ids": UNALIGNED_IDS}, "ids are not aligned; give a copy of them"),
    ],
)
def test_what_a_run_refuses(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(**changed)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.zeros((5, 2, 3))),
        ("x", [[[0.0] * 3] * 2] * 5),
        ("h_n", np.broadcast_to(floats(1), (1, 2, 4))),
        ("lengths", np.array([5.0, 2.0])),
        ("threads", 1.5),
    ],
)
def test_what_is_of_another_type(name: str, array: object) -> None:
    with pytest.raises(TypeError, match=f"{name}: "):
        run(**{name: array})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"units": 2**60}, "units is 1152921504606846976; it must be at most 268435456"),
        ({"layers": 2**63}, "layers is 9223372036854775808; it must be at most"),
        ({"directions": 3}, "1 or 2 directions"),
        ({"cell": "elman"}, "there is no cell 'elman'; there are rnn_tanh, rnn_relu, gru and lstm"),
        ({"projected": 2}, "only an LSTM can be projected"),
        ({"cell": "lstm", "projected": 4}, "projected is 4; it must be less than the units, 4"),
    ],
)
def test_stacks_that_cannot_be(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gru(**sizes)


def test_a_run_gets_more_threads_than_one_where_there_is_work_for_them() -> None:
    assert gru().useful_threads(rows=100, threads=3) == 1
    assert gru().useful_threads(rows=100_000, threads=3) == 3
    assert gru(input=256, units=256).useful_threads(rows=1, threads=3) == 3
    assert gru(input=256, units=256).useful_threads(rows=0, threads=3) == 1


def test_a_step_gets_more_threads_than_one_where_its_weights_take_long_to_read() -> None:
    rnn = {"cell": "rnn_tanh", "input": 256, "units": 256}
    assert gru().useful_threads_of_a_step(samples=1, threads=3) == 1
    assert gru(**rnn).useful_threads_of_a_step(samples=1, threads=3) == 3
    assert gru(**rnn, precision="int8").useful_threads_of_a_step(samples=1, threads=3) == 1
    assert gru(**rnn, precision="int8").useful_threads_of_a_step(samples=16, threads=3) == 3
    assert gru(**rnn, precision="bf16", layers=2).useful_threads_of_a_step(1, threads=3) == 3
    assert gru(**rnn, precision="int8", layers=3).useful_threads_of_a_step(1, threads=3) == 3
    # 4 * 130 * (64 + 34) + 34 * 130 numbers in the weights of each, or without the projection
    # 4 * 130 * (64 + 130), and a layer that reads the state of the one below.
    lstm = {"cell": "lstm", "input": 64, "units": 130}
    assert gru(**lstm, projected=34).useful_threads_of_a_step(1, threads=3) == 1
    assert gru(**lstm).useful_threads_of_a_step(1, threads=3) == 3
    assert gru(**lstm, projected=34, layers=2).useful_threads_of_a_step(1, threads=3) == 3


def test_a_stream_asks_for_the_threads_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def one(_: Any, samples: int, threads: int) -> int:
        asked.append((samples, threads))
        return 1

    monkeypatch.setattr(native().Stack, "useful_threads_of_a_step", one)  # type: ignore[union-attr]
    nn.GRU(3, 4).stream(batch_size=5)
    assert asked == [(5, torch.get_num_threads())]


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn_tanh"])
def test_rows_of_a_table_give_the_gates_that_they_give_as_input(cell: str) -> None:
    """On threads that share a layer's units, in whatever order these come to a step."""
    rng = np.random.default_rng(0)
    stack, gates, units = gru(cell=cell, units=330), {"gru": 3, "lstm": 4}.get(cell, 1), 330
    weights = [[random(rng, gates * units, 3), random(rng, gates * units, units)]]
    table, ids = random(rng, 5, 3), rng.integers(0, 5, (9, 1))

    def written(**given: np.ndarray) -> list[np.ndarray]:
        outputs, kept = [floats(9, 1, units)], [floats(9, stack.gates_row)]
        cells = [floats(9, 1, units)] if cell == "lstm" else []
        finals = {"h_n": floats(1, 1, units), "c_n": floats(1, 1, units) if cells else None}
        states = {"outputs": outputs, "cells": cells, "gates": kept} | finals
        run(stack, weights, h0=None, **given, **states, threads=3)
        return [*outputs, *cells, *kept]

    expected = written(x=table[ids])
    assert expected[0].any()
    for _ in range(20):
        for found, of_rows in zip(written(x=table, ids=ids), expected, strict=True):
            assert np.array_equal(found, of_rows)


def test_a_product_reads_no_floats_that_are_not_aligned() -> None:
    matrix, isa = UNALIGNED.reshape(2, 4), kernels.isa().name
    packed = native().PackedMatrix(matrix.copy(), None, isa)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="a row must lie side by side and aligned"):
        packed.multiply(matrix)
    with pytest.raises(ValueError, match=r"weight has shape \(2, 4\); it must have .* and aligned"):
        native().PackedMatrix(matrix, None, isa)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"bias has shape \(2,\); it must have .* and aligned"):
        native().PackedMatrix(matrix.copy(), matrix[0, :2], isa)  # type: ignore[union-attr]


def test_a_batch_without_elements_may_claim_any_number_of_samples() -> None:
    with pytest.raises(ValueError, match="h0 has shape"):
        run(
            gru(input=0),
            x=np.empty((1, 2**40, 0), np.float32),
            weights=[[floats(12, 0), floats(12, 4)]],
        )


def test_ids_that_only_claim_to_be_many_are_refused_at_once() -> None:
    ids = np.broadcast_to(np.zeros((1, 1), np.int64), (2**40, 2))
    with pytest.raises(ValueError, match="an output has shape"):
        run(x=floats(3, 3), ids=ids)
