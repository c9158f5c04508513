"""The name of one state in the layers x time grid."""

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Literal, get_args

from ._integer import check_integer

Direction = Literal["forward", "reverse"]
Kind = Literal["hidden", "cell"]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
KINDS: tuple[Kind, ...] = get_args(Kind)

_LETTER: dict[Kind, str] = {"hidden": "h", "cell": "c"}
_KIND: dict[str, Kind] = {letter: kind for kind, letter in _LETTER.items()}
_TEXT = re.compile(
    r"\s*(?P<letter>\w+)\s*\[\s*layer\s*=\s*(?P<layer>[-\w]+)\s*,"
    r"\s*(?P<direction>\w+)\s*,\s*step\s*=\s*(?P<step>[-\w]+)\s*\]\s*"
)
_INTEGER = re.compile(r"-?[0-9]+")
_FORM = "write it like 'h[layer=1, reverse, step=0]', with c instead of h for a cell state."


@total_ordering
@dataclass(frozen=True, slots=True)
class StateAddress:
    """Which state: its kind, its layer, its direction and its step.

    An address is absolute: layer 0 is next to the input, and step 0 is the first step of the
    input as the user gave it, for both directions. Negative layers and `"last"` are relative to a
    grid and are resolved by it before they become an address.

    Addresses sort as a grid lists them: h before c, then by layer, direction (forward first) and
    step.

    Attributes:
        kind: `"hidden"` for h, `"cell"` for the cell state c of an LSTM.
        layer: 0 or more.
        direction: `"forward"` or `"reverse"`.
        step: 0 or more.

    Raises:
        TypeError: the layer or the step is not an integer.
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
        for name, way_out in (
            ("layer", "StateGrid.at and StackShape.row count a negative layer from the top"),
            ("step", "for the last step that a direction computed ask StateGrid.final"),
        ):
            value = check_integer(getattr(self, name), f"{name} of a state address")
            if value < 0:
                raise ValueError(
                    f"{name} of a state address is {value}; it must be 0 or more ({way_out})."
                )
            object.__setattr__(self, name, value)

    @classmethod
    def parse(cls, text: str) -> "StateAddress":
        """Read an address as `str` writes it; blanks around its parts do not matter.

        Args:
            text: such as `"h[layer=1, reverse, step=0]"`.

        Raises:
            ValueError: the text is not an address; the message says which part is wrong.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a state address; {_FORM}")
        if match["letter"] not in _KIND:
            raise ValueError(
                f"{text!r} names a state {match['letter']!r}; it must be h (hidden) or c (cell)."
            )
        if match["step"] == "last":
            raise ValueError(
                f"{text!r} is not one state: which step is the last depends on the sample; "
                "give the step as a number, or ask StateGrid.final."
            )
        for name in ("layer", "step"):
            if not _INTEGER.fullmatch(match[name]):
                raise ValueError(f"{text!r} has {name} {match[name]!r}; it must be an integer.")
        check_direction(match["direction"])
        direction: Direction = "forward" if match["direction"] == "forward" else "reverse"
        return cls(_KIND[match["letter"]], int(match["layer"]), direction, int(match["step"]))

    def __str__(self) -> str:
        return f"{_LETTER[self.kind]}[layer={self.layer}, {self.direction}, step={self.step}]"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, StateAddress):
            return NotImplemented
        return self._rank() < other._rank()

    def _rank(self) -> tuple[int, int, int, int]:
        return KINDS.index(self.kind), self.layer, DIRECTIONS.index(self.direction), self.step


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
