"""Each sentence about the grid, on real layers: torch's own and ours, RNN, GRU and LSTM.

The states are computed here step by step with torch's cells, and looked for in what the layers
return.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import nn as ours

STEPS, INPUT, HIDDEN = 5, 3, 4
LENGTHS = (5, 3)
DOUBLE = {"dtype": torch.float64}


@dataclass
class Run:
    """A layer's run, and the true states by (kind, layer, direction, step, sample)."""

    layer: torch.nn.Module
    x: Tensor
    output: Tensor
    hidden_state: Tensor
    cell_state: Tensor | None
    states: dict[tuple[str, int, str, int, int], Tensor]
    layers: int
    directions: tuple[str, ...]

    def output_half(self, direction: str, step: int, sample: int) -> Tensor:
        half = self.directions.index(direction)
        return self.output[step, sample, half * HIDDEN : (half + 1) * HIDDEN]


CASES = list(product(("torch", "ours"), ("RNN", "GRU", "LSTM")))


def run_of(library: str, name: str, *, layers: int, bidirectional: bool) -> Run:
    torch.manual_seed(0)
    home = torch.nn if library == "torch" else ours
    layer = getattr(home, name)(INPUT, HIDDEN, layers, bidirectional=bidirectional, **DOUBLE)
    x = torch.randn(STEPS, len(LENGTHS), INPUT, **DOUBLE)
    if library == "torch":
        packed = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
        output, final = layer(packed)
        output, _ = pad_packed_sequence(output, total_length=STEPS)
    else:
        output, final = layer(x, lengths=LENGTHS)
    hidden, cell = final if name == "LSTM" else (final, None)
    directions = ("forward", "reverse")[: 1 + bidirectional]
    states = step_by_step(layer, name, x, layers, directions)
    return Run(layer, x, output, hidden, cell, states, layers, directions)


def step_by_step(
    layer: Any, name: str, x: Tensor, layers: int, directions: tuple[str, ...]
) -> dict[tuple[str, int, str, int, int], Tensor]:
    states: dict[tuple[str, int, str, int, int], Tensor] = {}
    for sample, length in enumerate(LENGTHS):
        below = [x[step, sample] for step in range(length)]
        for number in range(layers):
            for direction in directions:
                tail = "_reverse" if direction == "reverse" else ""
                cell = getattr(torch.nn, f"{name}Cell")(len(below[0]), HIDDEN, **DOUBLE)
                names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                cell.load_state_dict({n: getattr(layer, f"{n}_l{number}{tail}") for n in names})
                state: Any = None
                order = range(length) if direction == "forward" else reversed(range(length))
                for step in order:
                    state = cell(below[step][None], state)
                    h, *c = state if name == "LSTM" else (state,)
                    states["hidden", number, direction, step, sample] = h[0]
                    if c:
                        states["cell", number, direction, step, sample] = c[0][0]
            below = [
                torch.cat([states["hidden", number, d, step, sample] for d in directions])
                for step in range(length)
            ]
    return states


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-12, atol=1e-12)


def holds(values: Tensor, state: Tensor) -> bool:
    """Whether a state stands anywhere in a tensor, as `HIDDEN` columns of one of its rows."""
    return any(
        same(row[first : first + HIDDEN], state)
        for row in values.reshape(-1, values.shape[-1])
        for first in range(0, values.shape[-1], HIDDEN)
    )


def last_step(direction: str, sample: int) -> int:
    return LENGTHS[sample] - 1 if direction == "forward" else 0


@pytest.mark.parametrize(("library", "name"), CASES)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_output(library: str, name: str, layers: int, bidirectional: bool) -> None:
    """`output`: the last layer, at every step; both directions side by side for the same step."""
    run = run_of(library, name, layers=layers, bidirectional=bidirectional)
    for sample, length in enumerate(LENGTHS):
        for step in range(length):
            halves = [
                run.states["hidden", layers - 1, direction, step, sample]
                for direction in run.directions
            ]
            assert same(run.output[step, sample], torch.cat(halves))


@pytest.mark.parametrize(("library", "name"), CASES)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_hidden_state(library: str, name: str, layers: int, bidirectional: bool) -> None:
    """`hidden_state`: every layer, at the last step that direction computed.

    For the forward direction that is step `length - 1`; for the reverse direction it is step 0.
    An LSTM has `cell_state` likewise.
    """
    run = run_of(library, name, layers=layers, bidirectional=bidirectional)
    row = 0
    for layer in range(layers):
        for direction in run.directions:
            for sample in range(len(LENGTHS)):
                key = (layer, direction, last_step(direction, sample), sample)
                assert same(run.hidden_state[row, sample], run.states["hidden", *key])
                if run.cell_state is not None:
                    assert same(run.cell_state[row, sample], run.states["cell", *key])
            row += 1
    assert row == len(run.hidden_state)


@pytest.mark.parametrize(("library", "name"), CASES)
@pytest.mark.parametrize("layers", [1, 2])
def test_where_they_meet(library: str, name: str, layers: int) -> None:
    """The last layer's part of `hidden_state` is in `output`.

    The forward half stands at `output[length - 1]`, the reverse half at `output[0]`.
    """
    run = run_of(library, name, layers=layers, bidirectional=True)
    forward, reverse = run.hidden_state[-2], run.hidden_state[-1]
    for sample, length in enumerate(LENGTHS):
        assert same(run.output_half("forward", length - 1, sample), forward[sample])
        assert same(run.output_half("reverse", 0, sample), reverse[sample])


@pytest.mark.parametrize(("library", "name"), CASES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_one_layer(library: str, name: str, bidirectional: bool) -> None:
    """With one layer `hidden_state` is a strict subset of `output`."""
    run = run_of(library, name, layers=1, bidirectional=bidirectional)
    for sample, length in enumerate(LENGTHS):
        real = run.output[:length, sample]
        assert all(holds(real, state) for state in run.hidden_state[:, sample])
        in_neither_final = [
            state
            for (kind, _, direction, step, where), state in run.states.items()
            if kind == "hidden" and where == sample and step != last_step(direction, sample)
        ]
        assert in_neither_final
        assert all(holds(real, state) for state in in_neither_final)
        assert not any(holds(run.hidden_state[:, sample], state) for state in in_neither_final)


@pytest.mark.parametrize(("library", "name"), CASES)
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_deep(library: str, name: str, layers: int, bidirectional: bool) -> None:
    """With more layers, the two intersect and neither holds the other."""
    run = run_of(library, name, layers=layers, bidirectional=bidirectional)
    for sample, length in enumerate(LENGTHS):
        real, finals = run.output[:length, sample], run.hidden_state[:, sample]
        in_output = [holds(real, state) for state in finals]
        top = len(run.directions)
        assert in_output == [False] * (len(finals) - top) + [True] * top
        middle = run.states["hidden", layers - 1, "forward", 0, sample]
        assert holds(real, middle)
        assert not holds(finals, middle)


@pytest.mark.parametrize(("library", "name"), CASES)
def test_the_trap(library: str, name: str) -> None:
    """The trap: the reverse half of `output[length - 1]` has read one symbol only.

    It is the first state that direction computed. With one layer it depends on that one symbol;
    with more it has still taken one step only, over what the layer below made of the whole input.
    """
    run = run_of(library, name, layers=1, bidirectional=True)
    for sample, length in enumerate(LENGTHS):
        x = run.x[:length, sample].clone().requires_grad_()
        output, _ = run.layer(x)
        half = output[length - 1, HIDDEN:]
        (gradient,) = torch.autograd.grad(half.sum(), x)
        read = gradient.abs().sum(dim=1) > 0
        assert read.tolist() == [False] * (length - 1) + [True]
        (gradient,) = torch.autograd.grad(run.layer(x)[0][0, HIDDEN:].sum(), x)
        assert bool((gradient.abs().sum(dim=1) > 0).all())


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_trap_in_a_deep_layer(name: str) -> None:
    """In the top layer, too, the reverse half at `length - 1` has taken one step of its own."""
    run = run_of("torch", name, layers=2, bidirectional=True)
    states = ours.__dict__[name](INPUT, HIDDEN, 2, bidirectional=True, **DOUBLE)
    states.load_state_dict(run.layer.state_dict())
    weight = states.weight_hh_l1_reverse
    grid = states.unroll(run.x, lengths=LENGTHS)
    first = grid.at(1, "reverse", LENGTHS[0] - 1)[0]
    (gradient,) = torch.autograd.grad(first.sum(), weight, retain_graph=True)
    assert not gradient.any()  # it started from zeros, so its recurrent weights played no part
    (gradient,) = torch.autograd.grad(grid.final(1, "reverse")[0].sum(), weight)
    assert bool(gradient.any())


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_ours_and_torchs_are_the_same(name: str) -> None:
    """The same names hold the same numbers in both libraries, ragged batches included."""
    theirs = run_of("torch", name, layers=2, bidirectional=True)
    our = run_of("ours", name, layers=2, bidirectional=True)
    assert same(our.output, theirs.output)
    assert same(our.hidden_state, theirs.hidden_state)
    if theirs.cell_state is not None and our.cell_state is not None:
        assert same(our.cell_state, theirs.cell_state)


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_in_an_encoder_decoder(name: str) -> None:
    """`output` is what attention reads, and `hidden_state` is what starts the decoder."""
    from unrolled.seq2seq import Architecture, build

    torch.manual_seed(0)
    model = build(
        Architecture(
            source_vocab_size=8,
            target_vocab_size=8,
            cell="gru" if name == "GRU" else "lstm",
            embedding_size=INPUT,
            encoder_hidden_size=HIDDEN,
            decoder_hidden_size=2 * HIDDEN,
            encoder_layers=2,
            decoder_layers=2,
            bridge_hidden="concat",
            bridge_layers="match",
        )
    )
    source = torch.tensor([[4, 5, 6, 7, 4], [5, 6, 4, 0, 0]])
    lengths = torch.tensor(LENGTHS)
    grid = model.encoder.layer.unroll(model.encoder.embedding(source), lengths=lengths)
    state = model.start(source, lengths)
    torch.testing.assert_close(state.memory, grid.output)
    assert torch.equal(state.mask, grid.mask)
    for layer in range(2):
        expected = torch.cat([grid.final(layer, d) for d in ("forward", "reverse")], dim=-1)
        torch.testing.assert_close(state.hidden[layer], expected)
