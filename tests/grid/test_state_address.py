import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.grid import DIRECTIONS, KINDS, StateAddress

ADDRESSES = st.builds(
    StateAddress,
    kind=st.sampled_from(KINDS),
    layer=st.integers(0, 99),
    direction=st.sampled_from(DIRECTIONS),
    step=st.integers(0, 9999),
)


def test_is_written_as_the_vocabulary_has_it() -> None:
    assert str(StateAddress("hidden", 1, "reverse", 0)) == "h[layer=1, reverse, step=0]"
    assert str(StateAddress("cell", 0, "forward", 12)) == "c[layer=0, forward, step=12]"


@given(ADDRESSES)
def test_parse_reads_what_str_writes(address: StateAddress) -> None:
    assert StateAddress.parse(str(address)) == address
    assert StateAddress.parse(f"  {address} ".replace("=", " = ").replace("[", " [ ")) == address


@given(ADDRESSES)
def test_pickles_and_hashes_as_itself(address: StateAddress) -> None:
    assert pickle.loads(pickle.dumps(address)) == address
    assert len({address, StateAddress.parse(str(address))}) == 1


def test_sorts_h_before_c_then_by_layer_direction_and_step() -> None:
    ordered = [
        StateAddress("hidden", 0, "forward", 0),
        StateAddress("hidden", 0, "forward", 10),
        StateAddress("hidden", 0, "reverse", 2),
        StateAddress("hidden", 1, "forward", 0),
        StateAddress("cell", 0, "forward", 0),
    ]
    shuffled = random.Random(0).sample(ordered, len(ordered))
    assert sorted(shuffled) == ordered
    assert ordered[0] < ordered[1] <= ordered[1] < ordered[4]
    with pytest.raises(TypeError):
        ordered[0] < "h[layer=0, forward, step=0]"  # noqa: B015


def test_takes_numpy_integers_and_keeps_plain_ones() -> None:
    address = StateAddress("hidden", np.int64(1), "forward", np.int32(2))  # type: ignore[arg-type]
    assert address == StateAddress("hidden", 1, "forward", 2)
    assert type(address.layer) is type(address.step) is int


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (("h", 0, "forward", 0), ValueError, "kind is 'h'; it must be 'hidden' or 'cell'."),
        (
            ("cell", 0, "backward", 0),
            ValueError,
            "direction is 'backward'; it must be 'forward' or 'reverse'.",
        ),
        (
            ("hidden", -1, "forward", 0),
            ValueError,
            "layer of a state address is -1; it must be 0 or more "
            "(StateGrid.at and StackShape.row count a negative layer from the top).",
        ),
        (
            ("hidden", 0, "forward", -1),
            ValueError,
            "step of a state address is -1; it must be 0 or more "
            "(for the last step that a direction computed ask StateGrid.final).",
        ),
        (
            ("hidden", 0, "forward", "last"),
            TypeError,
            "step of a state address is 'last', of type str; it must be an integer.",
        ),
        (
            ("hidden", 1.0, "forward", 0),
            TypeError,
            "layer of a state address is 1.0, of type float; it must be an integer.",
        ),
        (
            ("hidden", True, "forward", 0),
            TypeError,
            "layer of a state address is True, of type bool; it must be an integer.",
        ),
    ],
)
def test_refuses_a_wrong_field(fields: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refusal:
        StateAddress(*fields)
    assert str(refusal.value) == message


FORM = "write it like 'h[layer=1, reverse, step=0]', with c instead of h for a cell state."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"'' is not a state address; {FORM}"),
        ("h[1, reverse, 0]", f"'h[1, reverse, 0]' is not a state address; {FORM}"),
        (
            "h[layer=1, forward, step=0] and more",
            f"'h[layer=1, forward, step=0] and more' is not a state address; {FORM}",
        ),
        (
            "q[layer=1, forward, step=0]",
            "'q[layer=1, forward, step=0]' names a state 'q'; it must be h (hidden) or c (cell).",
        ),
        (
            "h[layer=1, backward, step=0]",
            "direction is 'backward'; it must be 'forward' or 'reverse'.",
        ),
        (
            "h[layer=top, forward, step=0]",
            "'h[layer=top, forward, step=0]' has layer 'top'; it must be an integer.",
        ),
        (
            "h[layer=٣, forward, step=0]",
            "'h[layer=٣, forward, step=0]' has layer '٣'; it must be an integer.",
        ),
        (
            "h[layer=0, forward, step=last]",
            "'h[layer=0, forward, step=last]' is not one state: which step is the last depends on "
            "the sample; give the step as a number, or ask StateGrid.final.",
        ),
        (
            "h[layer=-1, forward, step=0]",
            "layer of a state address is -1; it must be 0 or more "
            "(StateGrid.at and StackShape.row count a negative layer from the top).",
        ),
    ],
)
def test_parse_says_which_part_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        StateAddress.parse(text)
    assert str(refusal.value) == message
