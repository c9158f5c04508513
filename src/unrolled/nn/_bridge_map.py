"""Which encoder states start which decoder state: the map of a bridge, by address."""

from dataclasses import dataclass
from typing import Literal, get_args

from ..grid import Direction, Kind, StackShape

Hidden = Literal["concat", "sum", "mean", "project", "copy", "zero", "learned"]
Layers = Literal["match", "top", "repeat"]
CellRule = Literal["from_cell", "from_hidden", "zero"]


@dataclass(frozen=True, slots=True)
class FinalState:
    """The state at the last step that a direction of the encoder computed.

    Its step depends on the sample, `length - 1` forward, and is written `last`; in reverse it is 0.
    """

    kind: Kind
    layer: int
    direction: Direction

    def __str__(self) -> str:
        letter = "h" if self.kind == "hidden" else "c"
        step = "last" if self.direction == "forward" else "0"
        return f"encoder {letter}[layer={self.layer}, {self.direction}, step={step}]"


@dataclass(frozen=True, slots=True)
class BridgeLine:
    """How one initial state of the decoder is made.

    Attributes:
        kind: whether it is an h or a c of the decoder.
        layer: layer of the decoder.
        how: what is done with the sources.
        sources: encoder states, in the order in which they are used; none for zero and learned.
    """

    kind: Kind
    layer: int
    how: Hidden
    sources: tuple[FinalState, ...]

    def __str__(self) -> str:
        letter = "h" if self.kind == "hidden" else "c"
        return f"decoder {letter}[layer={self.layer}] ← {self._made_of()}"

    def _made_of(self) -> str:
        if self.how == "zero":
            return "0"
        if self.how == "learned":
            return "a learned vector"
        states = ", ".join(map(str, self.sources))
        return states if self.how == "copy" else f"{self.how}({states})"


@dataclass(frozen=True, slots=True)
class BridgeMap:
    """Every initial state of the decoder and what it is made of, h of all layers before c."""

    lines: tuple[BridgeLine, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))


def map_bridge(
    encoder: StackShape, decoder: StackShape, hidden: Hidden, layers: Layers, cell: CellRule
) -> BridgeMap:
    """The map of a bridge; refuses what cannot be mapped.

    Args:
        encoder: the stack whose final states are read.
        decoder: the stack whose initial states are made.
        hidden: how the directions of one encoder layer become one decoder state.
        layers: which encoder layer a decoder layer reads.
        cell: what an LSTM decoder's cell states are made of.

    Raises:
        ValueError: a choice is unknown or the sizes cannot be mapped; says how to mend it.
    """
    for name, value, known in (
        ("hidden", hidden, get_args(Hidden)),
        ("layers", layers, get_args(Layers)),
        ("cell", cell, get_args(CellRule)),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}.")
    if decoder.bidirectional:
        raise ValueError("the decoder is bidirectional; a decoder runs forward only.")
    reads = hidden not in ("zero", "learned")
    if reads and layers == "match" and encoder.num_layers != decoder.num_layers:
        raise ValueError(
            f"layers='match' needs as many layers on both sides, but the encoder has "
            f"{encoder.num_layers} and the decoder {decoder.num_layers}; use layers='top' or "
            "layers='repeat', or change a number of layers."
        )
    lines = [
        _line("hidden", layer, hidden, layers, encoder, decoder)
        for layer in range(decoder.num_layers)
    ]
    if decoder.has_cell_state:
        if cell == "from_cell" and reads and not encoder.has_cell_state:
            raise ValueError(
                f"cell='from_cell' reads the encoder's cell states, but its cell is "
                f"{encoder.cell!r}, which has none; use cell='from_hidden' or cell='zero'."
            )
        kind: Kind = "cell" if cell == "from_cell" else "hidden"
        how: Hidden = "zero" if cell == "zero" else hidden
        lines += [
            _line("cell", layer, how, layers, encoder, decoder, kind)
            for layer in range(decoder.num_layers)
        ]
    return BridgeMap(tuple(lines))


def _line(
    kind: Kind,
    layer: int,
    how: Hidden,
    layers: Layers,
    encoder: StackShape,
    decoder: StackShape,
    source_kind: Kind = "hidden",
) -> BridgeLine:
    if how in ("zero", "learned"):
        return BridgeLine(kind, layer, how, ())
    source_layer = _source_layer(layer, layers, encoder.num_layers)
    sources = tuple(
        FinalState(source_kind, source_layer, direction) for direction in encoder.directions
    )
    line = BridgeLine(kind, layer, how, sources)
    source_size = encoder.cell_size if source_kind == "cell" else encoder.state_size
    target_size = decoder.cell_size if kind == "cell" else decoder.state_size
    _check_sizes(line, source_size, target_size)
    return line


def _source_layer(layer: int, layers: Layers, encoder_layers: int) -> int:
    """Match: the same layer. Top: the encoder's last. Repeat: round and round from layer 0."""
    if layers == "top":
        return encoder_layers - 1
    return layer % encoder_layers


def _check_sizes(line: BridgeLine, source_size: int, target_size: int) -> None:
    count = len(line.sources)
    if line.how == "copy" and count > 1:
        raise ValueError(
            f"hidden='copy' takes one state, but {line} has {count} directions to read; "
            "use hidden='concat', 'sum', 'mean' or 'project'."
        )
    made = source_size * count if line.how == "concat" else source_size
    if line.how != "project" and made != target_size:
        raise ValueError(
            f"{line} makes a state of {made}, but the decoder needs {target_size}; "
            "change a hidden size or use hidden='project'."
        )
