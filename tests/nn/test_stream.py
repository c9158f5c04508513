"""A stream gives what the whole run gives, step by step."""

import threading
from typing import Any

import pytest
import torch

import unrolled
from unrolled import kernels, nn


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
        ("GRU", {}),
        ("LSTM", {}),
        ("LSTM", {"proj_size": 3}),
    ],
)
def test_it_equals_the_whole_run(
    name: str, extra: dict[str, Any], threads: int, batch: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer = getattr(nn, name)(5, 40, 2, dtype=dtype, batch_first=True, **extra)
    x = torch.randn(batch, 7, 5, dtype=dtype)
    with torch.no_grad():
        output, finals = layer(x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stream = layer.stream(batch)
        for _ in range(2):
            for step in range(7):
                torch.testing.assert_close(stream.push(x[:, step]), output[:, step])
            expected = finals if isinstance(finals, tuple) else (finals, None)
            torch.testing.assert_close(stream.hidden_state, expected[0])
            if stream.cell_state is not None:
                torch.testing.assert_close(stream.cell_state, expected[1])
            stream.reset()
    finally:
        torch.set_num_threads(before)


def test_on_the_native_engine_it_is_the_same_to_the_last_bit() -> None:
    layer = nn.GRU(6, 50, 3)
    x = torch.randn(9, 2, 6)
    with unrolled.engine("native"), torch.no_grad():
        output, _ = layer(x)
    stream = layer.stream(batch_size=2)
    assert all(torch.equal(stream.push(x_t), row) for x_t, row in zip(x, output, strict=True))


def test_one_that_was_made_in_inference_mode_is_of_use_outside() -> None:
    layer = nn.LSTM(3, 4, 2)
    x = torch.randn(5, 2, 3)
    with torch.inference_mode():
        stream = layer.stream(2)
        expected = layer(x)[0]
    for x_t, top in zip(x, expected, strict=True):
        torch.testing.assert_close(stream.push(x_t), top)


def test_it_says_what_it_runs() -> None:
    stream = nn.GRU(3, 4, num_layers=2).stream(batch_size=5)
    assert repr(stream) == "Stream(gru, 3, 4, num_layers=2, batch_size=5)"
    if kernels.why_unavailable() is None:
        low = nn.LSTM(3, 4, bias=False).quantize("bf16").stream()
        assert repr(low) == "Stream(lstm, 3, 4, bias=False, batch_size=1, precision='bf16')"


def test_the_weights_are_those_of_its_beginning() -> None:
    layer = nn.GRU(3, 4)
    x = torch.randn(1, 3)
    first = nn.Stream(layer).push(x).clone()
    stream = nn.Stream(layer)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    assert torch.equal(stream.push(x), first)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Stream(nn.GRU(3, 4, bidirectional=True)), ValueError, "the layer is bidirec"),
        (lambda: nn.Stream(torch.nn.GRU(3, 4)), TypeError, "give an RNN, GRU or LSTM"),
        (lambda: nn.Stream(nn.GRU(3, 4), 0), ValueError, "batch_size is 0; it must be 1 or more"),
        (lambda: nn.Stream(nn.GRU(3, 4), 1.5), TypeError, "batch_size is 1.5, of type float; it "),
        (lambda: nn.Stream(nn.GRU(3, 4)).push(torch.zeros(2, 3)), ValueError, "x has 2 samples"),
        (lambda: nn.Stream(nn.GRU(3, 4)).push(torch.zeros(1, 4)), ValueError, "x has 4 features"),
        (lambda: nn.Stream(nn.GRU(3, 4)).push(torch.zeros(3)), ValueError, "x has 1 axes"),
        (
            lambda: nn.Stream(nn.GRU(3, 4)).push(torch.zeros(1, 3).double()),
            ValueError,
            "x is torch.float64",
        ),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_it_runs_while_other_threads_run_layers() -> None:
    layer = nn.GRU(60, 120, num_layers=3)
    x, steps = torch.randn(20, 5, 60), torch.randn(300, 2, 60)
    expected = layer(steps)[0].detach()
    found = torch.empty_like(expected)
    ended = threading.Event()
    before = torch.get_num_threads()

    def run_layers() -> None:
        with torch.no_grad():
            while not ended.is_set():
                layer(x)

    def push(stream: nn.Stream) -> None:
        for step, x_t in enumerate(steps):
            found[step] = stream.push(x_t)

    try:
        torch.set_num_threads(2)
        pushing = threading.Thread(target=push, args=(layer.stream(2),), daemon=True)
        others = [threading.Thread(target=run_layers) for _ in range(3)]
        for thread in (*others, pushing):
            thread.start()
        pushing.join(timeout=60)
        ended.set()
        for thread in others:
            thread.join()
        assert not pushing.is_alive()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    finally:
        torch.set_num_threads(before)
