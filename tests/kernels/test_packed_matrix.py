"""The packed product against float64 NumPy, on every instruction set that runs here."""

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.kernels import PackedMatrix, available_isas, multiply

ISAS = available_isas()


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("isa", ISAS)
@given(
    rows=st.integers(0, 20),
    columns=st.integers(0, 150),
    depth=st.integers(0, 40),
    has_bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_float64(
    isa: str, rows: int, columns: int, depth: int, has_bias: bool, seed: int
) -> None:
    a, weight = floats(rows, depth, seed=seed), floats(columns, depth, seed=seed + 1)
    bias = floats(columns, seed=seed + 2) if has_bias else None
    exact = multiply(
        a.astype(np.float64),
        weight.astype(np.float64),
        None if bias is None else bias.astype(float),
    )
    found = PackedMatrix(weight, bias, isa=isa).multiply(a)
    assert found.dtype == np.float32
    assert found.shape == (rows, columns)
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
def test_a_row_does_not_depend_on_the_others(isa: str) -> None:
    packed = PackedMatrix(floats(70, 33), floats(70, seed=1), isa=isa)
    a = floats(23, 33, seed=2)
    whole = packed.multiply(a)
    for row in range(23):
        assert np.array_equal(packed.multiply(a[row : row + 1])[0], whole[row])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[:, 3:20],
        lambda a: a[:, ::2],
        lambda a: a.T.copy().T,
        lambda a: np.broadcast_to(a[:1], a.shape),
    ],
)
def test_views_are_read_as_they_are(isa: str, view: object) -> None:
    a = view(floats(30, 40))  # type: ignore[operator]
    weight = floats(17, a.shape[1], seed=1)
    np.testing.assert_allclose(
        PackedMatrix(weight, isa=isa).multiply(a), a @ weight.T, rtol=1e-5, atol=1e-5
    )


def test_special_values_pass_through() -> None:
    weight = np.eye(3, dtype=np.float32)
    a = np.array([[1.0, np.inf, 0.0], [np.nan, 2.0, 0.0]], np.float32)
    # inf * 0 is NaN, in a product as everywhere.
    expected = [[np.nan, np.inf, np.nan], [np.nan, np.nan, np.nan]]
    np.testing.assert_array_equal(PackedMatrix(weight).multiply(a), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[1.0]],), TypeError, "weight is list; give a NumPy array of float32."),
        ((np.zeros((2, 2)),), TypeError, "weight is float64; give a NumPy array of float32."),
        (
            (np.zeros(2, np.float32),),
            ValueError,
            r"weight has 1 axes, shape \(2,\); it must have 2",
        ),
        (
            (np.zeros((2, 2), np.float32), np.zeros(3, np.float32)),
            ValueError,
            "bias has 3 elements; it must have one for each of the 2 rows",
        ),
    ],
)
def test_what_cannot_be_packed(arguments: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PackedMatrix(*arguments)


def test_what_cannot_be_multiplied() -> None:
    packed = PackedMatrix(floats(3, 4))
    with pytest.raises(ValueError, match=r"a has 5 columns, shape \(2, 5\); this weight takes 4"):
        packed.multiply(floats(2, 5))
    with pytest.raises(TypeError, match="a is float64"):
        packed.multiply(np.zeros((2, 4)))  # type: ignore[arg-type]


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="isa is 'mmx'; this machine runs"):
        PackedMatrix(floats(2, 2), isa="mmx")


def test_more_elements_than_a_machine_can_address() -> None:
    with pytest.raises(MemoryError):
        PackedMatrix(floats(16, 0)).multiply(np.empty((2**60, 0), np.float32))


def test_floats_that_are_not_aligned() -> None:
    values = floats(3, 4)
    odd = np.frombuffer(b"?" + values.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 4)
    assert not odd.flags.aligned
    expected = PackedMatrix(values).multiply(values)
    np.testing.assert_array_equal(PackedMatrix(odd).multiply(odd), expected)


def test_a_pack_does_not_follow_its_weight() -> None:
    weight, a = floats(5, 4), floats(2, 4, seed=1)
    packed = PackedMatrix(weight)
    before = packed.multiply(a)
    weight[:] = 0
    np.testing.assert_array_equal(packed.multiply(a), before)


def test_a_pack_does_not_keep_its_weight() -> None:
    weight = floats(5, 4)
    alive = weakref.ref(weight)
    packed = PackedMatrix(weight)
    del weight
    assert alive() is None
    assert packed.shape == (5, 4)
