"""The compiled search, called with what it was not made for, and interrupted."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled import kernels
from unrolled.grid import StackShape
from unrolled.kernels import DecoderArrays, FoundHypothesis, NoProbabilitiesError, SourceArrays

pytestmark = pytest.mark.skipif(
    kernels.why_unavailable() is not None,
    reason="there is no compiled module; runs where g++ was there at installation",
)

SYMBOLS, EMBEDDING, UNITS, MEMORY, STEPS, SOURCES = 6, 2, 3, 4, 5, 2
CHANCE = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return CHANCE.standard_normal(shape, dtype=np.float32)


DECODER = DecoderArrays(
    stack=[[floats(9, 2), floats(9, 3), floats(9), floats(9)]],
    embedding=floats(SYMBOLS, EMBEDDING),
    query=floats(5, UNITS),
    energy=floats(5),
    key=floats(5, MEMORY),
    key_bias=None,
    from_memory=floats(UNITS, MEMORY),
    from_state=floats(UNITS, UNITS),
    vocabulary=floats(SYMBOLS, UNITS),
    vocabulary_bias=floats(SYMBOLS),
)
GIVEN = SourceArrays(
    memory=floats(STEPS, SOURCES, MEMORY),
    lengths=np.array([5, 3]),
    hidden=floats(1, SOURCES, UNITS),
    cell=None,
    limits=np.array([6, 4]),
)
OPTIONS: dict[str, Any] = {
    "feeds_input": False,
    "beam_size": 2,
    "n_best": 1,
    "length_penalty": 0.0,
    "begin": 1,
    "end": 2,
    "never": [0, 1],
    "keep_weights": False,
    "threads": 1,
}


def gru(precision: str = "fp32", **sizes: Any) -> Any:
    given = {"cell": "gru", "input_size": EMBEDDING, "hidden_size": UNITS, "num_layers": 1}
    return kernels.recurrent_stack(StackShape(**given | sizes), precision)


def found(
    stack: Any = None,
    packs: Any = None,
    decoder: DecoderArrays = DECODER,
    given: SourceArrays = GIVEN,
    **changed: Any,
) -> list[list[FoundHypothesis]]:
    return kernels.search(
        stack or gru(), packs or kernels.decoder_packs(), decoder, given, **OPTIONS | changed
    )


def low_weights(precision: str) -> list[list[np.ndarray]]:
    kind = np.int16 if precision == "bf16" else np.int8
    row = [np.zeros((9, 2), kind), np.zeros((9, 3), kind), floats(9), floats(9)]
    return [row + ([floats(9), floats(9)] if precision == "int8" else [])]


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_stack_of_a_low_precision_is_refused(precision: str) -> None:
    decoder = DECODER._replace(stack=low_weights(precision))
    with pytest.raises(ValueError, match="the stack is of a low precision; a search takes the"):
        found(gru(precision), decoder=decoder)


def test_lengths_and_limits_may_lie_anywhere() -> None:
    def unaligned(numbers: np.ndarray) -> np.ndarray:
        view = np.zeros(numbers.nbytes + 1, np.uint8)[1:].view(np.int64)
        view[:] = numbers
        return view

    moved = GIVEN._replace(lengths=unaligned(GIVEN.lengths), limits=unaligned(GIVEN.limits))
    assert not moved.lengths.flags.aligned
    assert found(given=moved) == found()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"embedding": floats(12)}, "embedding has 1 axes; it must have 2"),
        ({"key": floats(5)}, "key has 1 axes; it must have 2"),
        ({"from_memory": floats(3, 4, 1)}, "from_memory has 3 axes; it must have 2"),
        (
            {"embedding": floats(SYMBOLS, 3)},
            "the input of the stack is 2 wide; it must be as wide as the embedding, 3",
        ),
        (
            {"query": None},
            "a key without a matrix for queries is 5 wide; it must be as wide as a state, 3",
        ),
        ({"vocabulary": floats(5, UNITS)}, r"vocabulary has shape \(5, 3\); it must have \(6, 3\)"),
        ({"vocabulary_bias": floats(7)}, r"vocabulary_bias has shape \(7,\); it must have \(6,\)"),
        ({"energy": floats(4)}, r"energy has shape \(4,\); it must have \(5,\)"),
    ],
)
def test_what_a_decoder_may_not_be(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(decoder=DECODER._replace(**changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lengths": np.array([5, 6])}, "the length of source 1 is 6; it must be from 1 to 5"),
        ({"lengths": np.array([0, 3])}, "the length of source 0 is 0; it must be from 1 to 5"),
        ({"limits": np.array([6, -1])}, "the limit of source 1 is -1; it must be from 0 to 26843"),
        ({"limits": np.array([2**62, 4])}, "the limit of source 0 is 46116.*; it must be from 0 "),
        ({"limits": np.array([6])}, r"limits has shape \(1,\); it must have \(2,\)"),
        ({"memory": floats(5, 2, 3)}, r"memory has shape \(5, 2, 3\); it must have \(5, 2, 4\)"),
        ({"hidden": floats(1, 3, 3)}, r"h0 has shape \(1, 3, 3\); it must have \(1, 2, 3\)"),
    ],
)
def test_what_sources_may_not_be(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(given=GIVEN._replace(**changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"feeds_input": True},
            "the input of the stack is 2 wide; it must be as wide as the embedding and the "
            "attentional vector, 5",
        ),
        ({"beam_size": 0}, "beam_size is 0; it must be 1 or more"),
        ({"beam_size": 2**62}, "beam_size is 4611686018427387904; it must be at most"),
        ({"n_best": 0}, "n_best is 0; it must be from 1 to 2, the beam_size"),
        ({"n_best": 3}, "n_best is 3; it must be from 1 to 2, the beam_size"),
        ({"length_penalty": np.nan}, "length_penalty is nan; it must be between 0 and 5"),
        ({"length_penalty": np.inf}, "length_penalty is inf; it must be between 0 and 5"),
        ({"length_penalty": -1.0}, "length_penalty is -1.0*; it must be between 0 and 5"),
        ({"never": [0, 2]}, "the symbol that ends a target is among those never written"),
        ({"threads": 2**40}, "threads are 1099511627776; they must be at most 1024"),
    ],
)
def test_options_that_cannot_be(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(**changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"begin": 6}, "begin is symbol 6, which is none of the 6 of the embedding"),
        ({"end": -1}, "end is symbol -1, which is none of the 6"),
        ({"never": [0, 9]}, "one of never is symbol 9, which is none of the 6"),
    ],
)
def test_symbols_that_are_none(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(IndexError, match=message):
        found(**changed)


def test_stacks_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="the stack has 2 directions; a decoder runs forward only"):
        found(gru(bidirectional=True))
    lstm = gru(cell="lstm")
    weights = [[floats(12, 2), floats(12, 3), floats(12), floats(12)]]
    with pytest.raises(ValueError, match="c0 is None; an LSTM starts from one"):
        found(lstm, decoder=DECODER._replace(stack=weights))


def test_sources_without_any_give_nothing() -> None:
    nobody = SourceArrays(
        floats(STEPS, 0, MEMORY), GIVEN.lengths[:0], floats(1, 0, UNITS), None, GIVEN.limits[:0]
    )
    assert found(given=nobody) == []


def test_a_decoder_without_width_is_searched() -> None:
    """Every product is of nothing, so the biases alone say what comes next."""
    decoder = DECODER._replace(
        embedding=floats(SYMBOLS, 0),
        stack=[[floats(9, 0), floats(9, 3), floats(9), floats(9)]],
        query=floats(0, UNITS),
        energy=floats(0),
        key=floats(0, MEMORY),
        from_memory=floats(0, MEMORY),
        from_state=floats(0, UNITS),
        vocabulary=floats(SYMBOLS, 0),
        vocabulary_bias=np.array([0, 0, 1, 2, 0, 0], np.float32),
    )
    best = found(gru(input_size=0), decoder=decoder, beam_size=1)
    assert [one.symbols for (one,) in best] == [[3] * 6 + [2], [3] * 4 + [2]]


def test_attention_is_an_array_of_the_real_steps() -> None:
    for hypotheses, length in zip(found(keep_weights=True), GIVEN.lengths, strict=True):
        for one in hypotheses:
            assert isinstance(one.attention, np.ndarray)
            assert one.attention.dtype == np.float32
            assert one.attention.shape == (len(one.symbols), length)
            np.testing.assert_allclose(one.attention.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["query", "key", "from_memory", "from_state", "vocabulary", "vocabulary_bias"]
)
def test_packs_are_of_the_weights_of_the_call(name: str) -> None:
    packs = kernels.decoder_packs()
    before = found(packs=packs)
    changed = DECODER._replace(**{name: getattr(DECODER, name).copy()})
    getattr(changed, name).flat[0] += 1
    after = found(packs=packs, decoder=changed)
    assert after == found(decoder=changed)
    assert after != before
    assert found(packs=packs) == before


def test_packs_go_with_a_decoder_of_other_sizes() -> None:
    packs = kernels.decoder_packs()
    found(packs=packs)
    wide = DECODER._replace(
        vocabulary=floats(9, UNITS), vocabulary_bias=floats(9), embedding=floats(9, 2)
    )
    assert found(packs=packs, decoder=wide) == found(decoder=wide)


def test_the_first_source_and_step_without_probabilities_are_named() -> None:
    embedding = DECODER.embedding.copy()
    embedding[3:] = np.nan
    with pytest.raises(
        NoProbabilitiesError, match="of source 0 at target step 1 are not numb"
    ) as e:
        found(decoder=DECODER._replace(embedding=embedding), beam_size=5, threads=2)
    assert (e.value.source, e.value.step) == (0, 1)


WITHOUT_END = textwrap.dedent("""
    import os, signal, sys, threading, time
    sys.path.insert(0, sys.argv[1])
    import numpy as np
    from test_search_bindings import DECODER, GIVEN, found

    # Whoever runs in the background may have been started with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.argv[2] == "torch":
        import torch  # whose threads are taken then
    threads, limits = int(sys.argv[3]), np.array([int(limit) for limit in sys.argv[4:]])
    bias = DECODER.vocabulary_bias.copy()
    bias[2] = -1e9
    found()  # so that nothing is loaded any more once it counts
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.5, interrupt).start()
    try:
        found(
            decoder=DECODER._replace(vocabulary_bias=bias),
            given=GIVEN._replace(limits=limits),
            threads=threads,
        )
    except KeyboardInterrupt:
        print(time.perf_counter() - sent[0])
    print(found() == found())
""")


# In the last case the thread that called has soon done its source, and waits for the other.
@pytest.mark.parametrize(
    ("threads", "limits"), [(1, (2**28, 5)), (2, (2**28, 2**28)), (2, (5000, 2**28))]
)
@pytest.mark.parametrize("threads_of", ["torch", "ourselves"])
def test_ctrl_c_is_heard(threads: int, limits: tuple[int, int], threads_of: str) -> None:
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_END, folder, threads_of, str(threads), *map(str, limits)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, works_again = done.stdout.split()
    assert float(seconds) < 2
    assert works_again == "True"
