"""sigmoid, tanh and attention scores of every instruction set against NumPy in float64."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.kernels import available_isas
from unrolled.kernels._isa import native

COMPILED = [isa for isa in available_isas() if isa != "numpy"]
pytestmark = pytest.mark.skipif(
    not COMPILED, reason="nothing is compiled; these run where g++ was there at installation"
)

EXACT = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def computed(name: str, x: np.ndarray, isa: str) -> np.ndarray:
    found = np.empty_like(x)
    getattr(native(), name)(x, found, isa)
    return found


def every_magnitude() -> np.ndarray:
    """Floats of both signs, evenly over their bit patterns, and so of every exponent."""
    bits = np.arange(0, 0x7F800000, 1499, dtype=np.uint32)
    positive = bits.view(np.float32)
    return np.concatenate([positive, -positive])


@pytest.mark.parametrize("isa", COMPILED)
@pytest.mark.parametrize("name", EXACT)
def test_within_two_units_in_the_last_place(name: str, isa: str) -> None:
    x = every_magnitude()
    with np.errstate(over="ignore"):
        exact = EXACT[name](x.astype(np.float64))
    spacing = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    off = np.abs(computed(name, x, isa).astype(np.float64) - exact) / spacing
    assert off.max() <= 2, x[off.argmax()]


@pytest.mark.parametrize("isa", COMPILED)
def test_special_values_are_exact(isa: str) -> None:
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 200, -200], dtype=np.float32)
    tanh, sigmoid = computed("tanh", x, isa), computed("sigmoid", x, isa)
    np.testing.assert_array_equal(tanh, [0, 0, 1, -1, np.nan, 1, -1, 1, -1])
    assert np.signbit(tanh[1])
    np.testing.assert_array_equal(sigmoid, [0.5, 0.5, 1, 0, np.nan, 1, 0, 1, 0])


@pytest.mark.parametrize("isa", COMPILED)
@given(
    batch=st.integers(0, 4),
    count=st.integers(1, 3),
    steps=st.integers(1, 6),
    size=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_additive_scores(
    isa: str, batch: int, count: int, steps: int, size: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    queries, keys, energy = (
        chance.normal(size=shape).astype(np.float32)
        for shape in ((batch, count, size), (batch, steps, size), (size,))
    )
    mask = chance.random((batch, steps)) < 0.7
    keys[~mask] = np.nan
    scores = np.full((batch, count, steps), 7, dtype=np.float32)
    native().additive_scores(queries, keys, mask, energy, scores, isa, 2)
    exact = np.tanh(queries[:, :, None].astype(float) + keys[:, None]) @ energy.astype(float)
    expected = np.where(mask[:, None], exact, 0)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"keys": np.zeros((2, 3, 5), np.float32)},
        {"mask": np.ones((2, 4), bool)},
        {"energy": np.zeros(3, np.float32)},
        {"scores": np.zeros((2, 1, 4), np.float32)},
        {"queries": np.zeros((2, 4), np.float32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_shapes_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    arrays = {
        "queries": np.zeros((2, 1, 4), np.float32),
        "keys": np.zeros((2, 3, 4), np.float32),
        "mask": np.ones((2, 3), bool),
        "energy": np.zeros(4, np.float32),
        "scores": np.zeros((2, 1, 3), np.float32),
    }
    with pytest.raises(ValueError, match="must"):
        native().additive_scores(*(arrays | change).values(), COMPILED[0], 1)


def test_what_would_be_copied_away_is_refused() -> None:
    arrays = [
        np.zeros((2, 1, 4), np.float32),
        np.zeros((2, 3, 4), np.float32),
        np.ones((2, 3), bool),
        np.zeros(4, np.float32),
        np.zeros((2, 1, 3), np.float64),
    ]
    with pytest.raises(TypeError):
        native().additive_scores(*arrays, COMPILED[0], 1)
