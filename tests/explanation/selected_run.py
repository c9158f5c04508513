"""Real runs of torch's own layers, and expressions to select from their tensors."""

from functools import cache

import torch
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled.nn
from unrolled.explanation import SelectionPart, explain_selection
from unrolled.grid import StackShape, StateGrid

CELLS = {"gru": (torch.nn.GRU, unrolled.nn.GRU), "lstm": (torch.nn.LSTM, unrolled.nn.LSTM)}


class Run:
    """A real run of torch's own layer, packed, and all its states by name."""

    def __init__(
        self, cell: str, layers: int, both: bool, lengths: tuple[int, ...], first: bool
    ) -> None:
        sizes = {"num_layers": layers, "bidirectional": both, "batch_first": first}
        theirs, ours = (kind(2, 3, dtype=torch.float64, **sizes) for kind in CELLS[cell])
        chance = torch.Generator().manual_seed(len(lengths) + 7 * max(lengths))
        for weight in theirs.parameters():
            weight.data.copy_(torch.rand(weight.shape, generator=chance).double() * 2 - 1)
        ours.load_state_dict(theirs.state_dict())
        self.steps, self.lengths = max(lengths), lengths
        shape = (len(lengths), self.steps, 2)
        x = torch.rand(shape, generator=chance, dtype=torch.float64) * 2 - 1
        x = x if first else x.transpose(0, 1)
        packed = pack_padded_sequence(x, torch.tensor(lengths), first, enforce_sorted=False)
        with torch.no_grad():
            output, state = theirs(packed)
            self.grid: StateGrid = ours.unroll(x, lengths=list(lengths))
        hidden = state[0] if cell == "lstm" else state
        self.names = {
            "output": pad_packed_sequence(output, batch_first=first)[0].contiguous(),
            "hidden_state": hidden,
            "h_n": hidden,
            "torch": torch,
            "arange": torch.arange,
            "cat": torch.cat,
            "stack": torch.stack,
            "lengths": torch.tensor(lengths),
            "batch": len(lengths),
            "steps": self.steps,
            "hidden_size": 3,
            "num_layers": layers,
            "num_directions": 1 + both,
        }
        if cell == "lstm":
            self.names |= {"cell_state": state[1], "c_n": state[1]}
        self.layer, self.x = theirs, x
        self.shape = StackShape(cell, 2, 3, layers, both)  # type: ignore[arg-type]
        self.first = first

    def real(self, expression: str) -> torch.Tensor:
        return eval(expression, {"__builtins__": {}}, self.names)

    def named(self, expression: str) -> SelectionPart:
        return explain_selection(
            self.shape, self.steps, expression, lengths=list(self.lengths), batch_first=self.first
        ).selection

    def value(self, source) -> float:
        if source.address is None:
            return 0.0
        return self.grid.at(source.address)[source.sample, source.unit].item()


sizes = st.tuples(
    st.sampled_from(["gru", "lstm"]),
    st.integers(1, 2),
    st.booleans(),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)


@cache
def run_of(sizes: tuple) -> Run:
    return Run(*sizes)


@st.composite
def expressions(draw, run: Run) -> str:
    """Operations one after the other; one that PyTorch refuses is left out."""
    tensors = ["output", "hidden_state", "h_n"]
    tensors += ["cell_state", "c_n"] if "c_n" in run.names else []
    text = draw(st.sampled_from(tensors))
    dim, size = st.integers(-3, 3), st.sampled_from([-1, 1, 2, 3, 4, 6, 8, 12])
    bound = st.one_of(st.just(""), st.integers(-4, 4).map(str))
    one = st.one_of(
        st.integers(-4, 3).map(str),
        st.tuples(bound, bound).map(":".join),
        bound.map(lambda start: f"{start}::2"),
        st.sampled_from(["None", "...", "lengths - 1", "arange(batch)", "[0, -1]"]),
    )
    operations = st.one_of(
        st.lists(one, min_size=1, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(size, min_size=1, max_size=4).map(lambda s: f".reshape({', '.join(map(str, s))})"),
        st.lists(size, min_size=1, max_size=3).map(lambda s: f".view({tuple(s)})"),
        st.tuples(dim, dim).map(lambda d: f".transpose({d[0]}, {d[1]})"),
        st.permutations(range(3)).map(lambda d: f".permute({', '.join(map(str, d))})"),
        st.sampled_from([".squeeze()", ".flatten()", ".contiguous()", ".sum()", ".max()"]),
        dim.map(lambda d: f".squeeze({d})"),
        dim.map(lambda d: f".unsqueeze(dim={d})"),
        dim.map(lambda d: f".flip({d})"),
        dim.map(lambda d: f".flatten({d})"),
        st.tuples(st.integers(1, 4), dim).map(lambda a: f".chunk({a[0]}, dim={a[1]})[-1]"),
        st.tuples(st.integers(1, 4), dim).map(lambda a: f".split({a[0]}, {a[1]})[0]"),
        st.tuples(dim, st.booleans()).map(lambda a: f".sum({a[0]}, keepdim={a[1]})"),
        st.tuples(dim, dim).map(lambda a: f".mean(({a[0]}, {a[1]}))"),
        dim.map(lambda d: f".max({d}).values"),
        dim.map(lambda d: f".min(dim={d})[0]"),
        dim.map(lambda d: f".expand(2, -1, -1, -1).gather({d}, arange(2).view(2, 1, 1, 1))"),
        st.just(".gather(0, (lengths - 1).view(1, -1, 1).expand(1, -1, hidden_size))"),
    )
    for operation in draw(st.lists(operations, min_size=1, max_size=7)):
        longer = text + operation
        try:
            if run.real(longer).numel():
                text = longer
        except (RuntimeError, IndexError, ValueError):
            continue
    joins = ["{0}", "{0}", "torch.cat([{0}, {0}], -1)", "{0} + {0}.flip(0)", "stack([{0}, {0}], 1)"]
    return draw(st.sampled_from(joins)).format(text)
