"""The name of one state in the layers x time grid."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

Direction = Literal["forward", "reverse"]
Kind = Literal["hidden", "cell"]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
KINDS: tuple[Kind, ...] = get_args(Kind)

_LETTER: dict[Kind, str] = {"hidden": "h", "cell": "c"}
_KIND: dict[str, Kind] = {letter: kind for kind, letter in _LETTER.items()}
_TEXT = re.compile(
    r"\s*(?P<letter>[hc])\s*\[\s*layer\s*=\s*(?P<layer>\d+)\s*,"
    r"\s*(?P<direction>forward|reverse)\s*,\s*step\s*=\s*(?P<step>\d+)\s*\]\s*"
)


@dataclass(frozen=True, slots=True, order=True)
class StateAddress:
    """Which state: its kind, its layer, its direction and its step.

    An address is absolute: layer 0 is next to the input, and step 0 is the first step of the
    input as the user gave it, for both directions. Negative layers and `"last"` are relative to a
    grid and are resolved by it before they become an address.

    Attributes:
        kind: `"hidden"` for h, `"cell"` for the cell state c of an LSTM.
        layer: 0 or more.
        direction: `"forward"` or `"reverse"`.
        step: 0 or more.

    Raises:
        ValueError: a field is not one of the values above.

    >>> str(StateAddress("hidden", 1, "reverse", 0))
    'h[layer=1, reverse, step=0]'
    """

    kind: Kind
    layer: int
    direction: Direction
    step: int

    def __post_init__(self) -> None:
        check_kind(self.kind)
        check_direction(self.direction)
        for name, value in (("layer", self.layer), ("step", self.step)):
            if value < 0:
                raise ValueError(
                    f"{name} of a state address is {value}; it must be 0 or more. "
                    "Ask a StateGrid or a StackShape to resolve a negative index first."
                )

    @classmethod
    def parse(cls, text: str) -> "StateAddress":
        """Read an address as `str` writes it.

        Args:
            text: such as `"h[layer=1, reverse, step=0]"`.

        Raises:
            ValueError: the text is not an address.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not a state address; write it like 'h[layer=1, reverse, step=0]', "
                "with c instead of h for a cell state."
            )
        direction: Direction = "forward" if match["direction"] == "forward" else "reverse"
        return cls(_KIND[match["letter"]], int(match["layer"]), direction, int(match["step"]))

    def __str__(self) -> str:
        return f"{_LETTER[self.kind]}[layer={self.layer}, {self.direction}, step={self.step}]"


def check_direction(direction: object) -> None:
    """Refuse what is not a direction.

    Raises:
        ValueError: the direction is neither `"forward"` nor `"reverse"`.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is {direction!r}; it must be 'forward' or 'reverse'.")


def check_kind(kind: object) -> None:
    """Refuse what is not a kind of state.

    Raises:
        ValueError: the kind is neither `"hidden"` nor `"cell"`.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be 'hidden' or 'cell'.")
