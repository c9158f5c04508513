"""From an encoder's final states to a decoder's initial states."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..grid import Kind, StackShape
from ..kernels import PackedMatrix
from ._bridge_map import BridgeLine, BridgeMap, CellRule, Hidden, Layers, map_bridge
from ._engine import may_call_kernels
from ._watched import is_watched


@runtime_checkable
class HasShape(Protocol):
    """Anything that tells the shape of its recurrent stack, such as a layer of `unrolled.nn`."""

    @property
    def shape(self) -> StackShape:
        """The stack."""


class Bridge(nn.Module):
    """Starts a decoder from an encoder, state by named state.

    Each decoder layer reads one encoder layer, all its directions:

        concat   h'_0 = [h_forward; h_reverse]
        sum      h'_0 = h_forward + h_reverse
        mean     h'_0 = (h_forward + h_reverse) / 2
        project  h'_0 = tanh(W [h_forward; h_reverse] + b), one W per decoder layer
        copy     h'_0 = h, of an encoder with one direction
        zero     h'_0 = 0
        learned  h'_0 = a parameter, the same for all samples

    `print(bridge)` shows the whole map by address. Source of "project": Bahdanau et al. (2015),
    appendix A.2.2, there with the reverse direction alone.

    Args:
        encoder: a layer of `unrolled.nn`, or the shape of one.
        decoder: a layer, or the shape of one; runs forward only.
        hidden: one of the above.
        layers: `"match"` (layer to layer), `"top"` (all decoder layers read the encoder's last) or
            `"repeat"` (decoder layer k reads encoder layer k modulo their number).
        cell: the cell states of an LSTM decoder: `"from_cell"` of an LSTM encoder in the way of
            `hidden`, `"from_hidden"` in the same way, or `"zero"`.

    Raises:
        TypeError: a side is neither a layer of `unrolled.nn` nor a `StackShape`.
        ValueError: a choice is unknown, or the sizes cannot be mapped; says how to mend it.
    """

    def __init__(
        self,
        encoder: StackShape | HasShape,
        decoder: StackShape | HasShape,
        hidden: Hidden = "concat",
        layers: Layers = "match",
        cell: CellRule = "from_cell",
    ) -> None:
        super().__init__()
        self.encoder_shape = _shape(encoder, "encoder")
        self.decoder_shape = _shape(decoder, "decoder")
        self.map: BridgeMap = map_bridge(
            self.encoder_shape, self.decoder_shape, hidden, layers, cell
        )
        self.projections = nn.ModuleDict()
        self.learned = nn.ParameterDict()
        for line in self.map.lines:
            size = self._target_size(line.kind)
            if line.how == "project":
                read = sum(self._source_size(source.kind) for source in line.sources)
                self.projections[_key(line)] = nn.Linear(read, size)
            elif line.how == "learned":
                self.learned[_key(line)] = nn.Parameter(torch.empty(size).uniform_(-0.1, 0.1))

    def forward(
        self,
        hidden_state: Float[Tensor, "row batch hidden"],
        cell_state: Float[Tensor, "row batch cell"] | None = None,
    ) -> tuple[
        Float[Tensor, "layer batch decoder_hidden"],
        Float[Tensor, "layer batch decoder_cell"] | None,
    ]:
        """The decoder's initial states.

        Args:
            hidden_state: the encoder's h_n, (layers * directions, batch, hidden).
            cell_state: the encoder's c_n; needed for `cell="from_cell"`.

        Returns:
            h_0, (layers, batch, hidden), and c_0, `None` but for an LSTM decoder.

        Raises:
            ValueError: the states are not of the encoder this bridge was built for, or the cell
                states are missing.
        """
        self._check(hidden_state, cell_state)
        finals = {"hidden": hidden_state, "cell": cell_state}
        made: dict[Kind, list[Tensor]] = {"hidden": [], "cell": []}
        for line in self.map.lines:
            made[line.kind].append(self._make(line, finals))
        return torch.stack(made["hidden"]), torch.stack(made["cell"]) if made["cell"] else None

    def __repr__(self) -> str:
        return str(self.map)

    def _make(self, line: BridgeLine, finals: dict[str, Tensor | None]) -> Tensor:
        hidden_state = finals["hidden"]
        if hidden_state is None:
            raise ValueError("a bridge needs the encoder's hidden_state.")
        size = self._target_size(line.kind)
        if line.how == "zero":
            return hidden_state.new_zeros(hidden_state.shape[1], size)
        if line.how == "learned":
            vector: Tensor = self.learned[_key(line)]
            return vector.expand(hidden_state.shape[1], size)
        sources = []
        for source in line.sources:
            values = finals[source.kind]
            if values is None:
                raise ValueError(
                    f"{line} reads the encoder's cell_state, and none was given; pass c_n too."
                )
            sources.append(values[self.encoder_shape.row(source.layer, source.direction)])
        if line.how == "sum":
            return torch.stack(sources).sum(dim=0)
        if line.how == "mean":
            return torch.stack(sources).mean(dim=0)
        joined = torch.cat(sources, dim=-1)
        if line.how == "project":
            return torch.tanh(_multiplied(self.projections[_key(line)], joined))
        return joined

    def _source_size(self, kind: Kind) -> int:
        shape = self.encoder_shape
        return shape.cell_size if kind == "cell" else shape.state_size

    def _target_size(self, kind: Kind) -> int:
        shape = self.decoder_shape
        return shape.cell_size if kind == "cell" else shape.state_size

    def _check(self, hidden_state: Tensor, cell_state: Tensor | None) -> None:
        shape = self.encoder_shape
        if cell_state is not None and not shape.has_cell_state:
            raise ValueError(
                f"a cell_state was given, but this bridge reads an encoder of {shape.cell!r}, "
                "which has none; leave it out."
            )
        batch = hidden_state.shape[1] if hidden_state.ndim == 3 else "batch"
        for name, state, size in (
            ("hidden_state", hidden_state, shape.state_size),
            ("cell_state", cell_state, shape.cell_size),
        ):
            if state is None:
                continue
            expected = (shape.num_rows, batch, size)
            if tuple(state.shape) != expected:
                raise ValueError(
                    f"{name} has shape {tuple(state.shape)}; this bridge reads "
                    f"({shape.num_rows}, {batch}, {size}): "
                    "(layers * directions, batch, size) of its encoder."
                )


def _multiplied(projection: nn.Module, joined: Tensor) -> Tensor:
    """What the module computes, by the kernels where they may.

    There a sample does not depend on its batch mates, bit for bit.
    """
    if type(projection) is nn.Linear and not is_watched(projection):
        parameters = list(projection.parameters())  # the weight, and the bias where there is one
        if may_call_kernels([joined, *parameters]):
            packed = PackedMatrix(*(parameter.detach().numpy() for parameter in parameters))
            return torch.from_numpy(packed.multiply(joined.detach().numpy()))
    found: Tensor = projection(joined)
    return found


def _shape(side: StackShape | HasShape, name: str) -> StackShape:
    shape = side if isinstance(side, StackShape) else getattr(side, "shape", None)
    if not isinstance(shape, StackShape):
        raise TypeError(
            f"the {name} is a {type(side).__module__}.{type(side).__qualname__}, which tells no "
            "StackShape; pass a layer of unrolled.nn or an unrolled.grid.StackShape."
        )
    return shape


def _key(line: BridgeLine) -> str:
    return f"{line.kind}_l{line.layer}"
