"""Every bridge is refused in a sentence or does what its map says."""

import re
from itertools import product

import pytest
import torch
from torch import Tensor

import unrolled
from unrolled.grid import StackShape, StateGrid
from unrolled.nn import GRU, LSTM, RNN, Bridge
from unrolled.seq2seq._stack import make_stack

HIDDEN = ("concat", "sum", "mean", "project", "copy", "zero", "learned")
LAYERS = ("match", "top", "repeat")
CELL = ("from_cell", "from_hidden", "zero")
ENCODERS = [
    StackShape(cell, 3, 4, layers, bidirectional, True, proj)
    for cell, layers, bidirectional, proj in [
        *product(("lstm", "gru", "rnn_tanh", "rnn_relu"), (1, 2, 3), (False, True), (0,)),
        *product(("lstm",), (1, 2), (False, True), (2,)),
    ]
]
DECODERS = [
    *(
        StackShape(cell, 3, size, layers)
        for cell, size, layers in product(("lstm", "gru", "rnn_tanh"), (4, 8), (1, 2, 3))
    ),
    StackShape("lstm", 3, 8, 2, proj_size=4),
]


@pytest.fixture(scope="module")
def grids() -> dict[StackShape, StateGrid]:
    torch.manual_seed(0)
    x, lengths = torch.randn(3, 5, 3).double(), torch.tensor([5, 2, 1])
    return {shape: make_stack(shape, 0.0).double().unroll(x, lengths=lengths) for shape in ENCODERS}


def plain(bridge: Bridge, grid: StateGrid, how: str, layers: str, kind: str, read: str) -> Tensor:
    """Initial states of one kind, each from the grid by address."""
    size = bridge.decoder_shape.cell_size if kind == "cell" else bridge.decoder_shape.state_size
    made = []
    for layer in range(bridge.decoder_shape.num_layers):
        if how == "zero":
            made.append(torch.zeros(3, size).double())
            continue
        if how == "learned":
            made.append(bridge.learned[f"{kind}_l{layer}"].expand(3, size))
            continue
        count = bridge.encoder_shape.num_layers
        source = {"match": layer, "top": count - 1, "repeat": layer % count}[layers]
        sides = [grid.final(source, d, read) for d in bridge.encoder_shape.directions]
        if how == "sum":
            made.append(sum(sides))
        elif how == "mean":
            made.append(sum(sides) / len(sides))
        elif how == "project":
            linear = bridge.projections[f"{kind}_l{layer}"]
            made.append((torch.cat(sides, 1) @ linear.weight.T + linear.bias).tanh())
        else:
            made.append(torch.cat(sides, 1))
    return torch.stack(made)


def can_be_mapped(encoder: StackShape, decoder: StackShape, how: str, layers: str, c: str) -> bool:
    if how in ("zero", "learned"):
        return True
    if layers == "match" and encoder.num_layers != decoder.num_layers:
        return False
    if decoder.has_cell_state and c == "from_cell" and not encoder.has_cell_state:
        return False
    if how == "copy" and encoder.bidirectional:
        return False
    if how == "project":
        return True
    times = encoder.num_directions if how == "concat" else 1
    pairs = [(encoder.state_size, decoder.state_size)]
    if decoder.has_cell_state and c != "zero":
        source = encoder.cell_size if c == "from_cell" else encoder.state_size
        pairs.append((source, decoder.cell_size))
    return all(source * times == target for source, target in pairs)


@pytest.mark.parametrize("how", HIDDEN)
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("cell", CELL)
def test_refused_or_by_address(
    grids: dict[StackShape, StateGrid], how: str, layers: str, cell: str
) -> None:
    built = 0
    for encoder, decoder in product(ENCODERS, DECODERS):
        if not can_be_mapped(encoder, decoder, how, layers, cell):
            with pytest.raises(ValueError, match=r"use hidden|use layers|use cell"):
                Bridge(encoder, decoder, how, layers, cell)
            continue
        built += 1
        bridge = Bridge(encoder, decoder, how, layers, cell).double()
        grid = grids[encoder]
        h_0, c_0 = bridge(grid.hidden_state, grid.cell_state if encoder.has_cell_state else None)
        assert torch.allclose(h_0, plain(bridge, grid, how, layers, "hidden", "hidden"), atol=1e-14)
        assert (c_0 is not None) == decoder.has_cell_state
        if c_0 is not None:
            read = "cell" if cell == "from_cell" else "hidden"
            made_how = "zero" if cell == "zero" else how
            assert torch.allclose(
                c_0, plain(bridge, grid, made_how, layers, "cell", read), atol=1e-14
            )
        assert len(str(bridge).splitlines()) == decoder.num_layers * (1 + decoder.has_cell_state)
    assert built


def test_the_printed_map() -> None:
    bridge = Bridge(LSTM(3, 4, 2, bidirectional=True), LSTM(3, 8, 2))
    assert str(bridge) == (
        "decoder h[layer=0] ← concat(encoder h[layer=0, forward, step=last], "
        "encoder h[layer=0, reverse, step=0])\n"
        "decoder h[layer=1] ← concat(encoder h[layer=1, forward, step=last], "
        "encoder h[layer=1, reverse, step=0])\n"
        "decoder c[layer=0] ← concat(encoder c[layer=0, forward, step=last], "
        "encoder c[layer=0, reverse, step=0])\n"
        "decoder c[layer=1] ← concat(encoder c[layer=1, forward, step=last], "
        "encoder c[layer=1, reverse, step=0])"
    )


@pytest.mark.parametrize(
    ("how", "layers", "cell", "printed"),
    [
        (
            "copy",
            "top",
            "from_hidden",
            "decoder h[layer=0] ← encoder h[layer=2, forward, step=last]\n"
            "decoder c[layer=0] ← encoder h[layer=2, forward, step=last]",
        ),
        (
            "project",
            "repeat",
            "zero",
            "decoder h[layer=0] ← project(encoder h[layer=0, forward, step=last])\n"
            "decoder c[layer=0] ← 0",
        ),
        (
            "learned",
            "match",
            "from_cell",
            "decoder h[layer=0] ← a learned vector\ndecoder c[layer=0] ← a learned vector",
        ),
        ("zero", "match", "from_cell", "decoder h[layer=0] ← 0\ndecoder c[layer=0] ← 0"),
    ],
)
def test_other_maps(how: str, layers: str, cell: str, printed: str) -> None:
    assert str(Bridge(GRU(3, 4, 3), LSTM(3, 4), how, layers, cell)) == printed


ONE, TWO = StackShape("lstm", 3, 4, 1, True), StackShape("gru", 3, 4, 2, False)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("encoder", "decoder", "how", "layers", "cell", "message"),
    [
        (
            ONE,
            TWO,
            "add",
            "match",
            "zero",
            "hidden is 'add'; it must be one of concat, sum, mean, project, copy, zero, learned.",
        ),
        (ONE, TWO, "sum", "all", "zero", "layers is 'all'; it must be one of match, top, repeat."),
        (
            ONE,
            TWO,
            "sum",
            "top",
            "no",
            "cell is 'no'; it must be one of from_cell, from_hidden, zero.",
        ),
        (
            TWO,
            ONE,
            "sum",
            "top",
            "zero",
            "the decoder is bidirectional; a decoder runs forward only.",
        ),
        (
            ONE,
            TWO,
            "sum",
            "match",
            "zero",
            "layers='match' needs as many layers on both sides, but the encoder has 1 and the "
            "decoder 2; use layers='top' or layers='repeat', or change a number of layers.",
        ),
        (
            TWO,
            StackShape("lstm", 3, 4, 2),
            "sum",
            "match",
            "from_cell",
            "cell='from_cell' reads the encoder's cell states, but its cell is 'gru', which has "
            "none; use cell='from_hidden' or cell='zero'.",
        ),
        (
            ONE,
            TWO,
            "copy",
            "top",
            "zero",
            "hidden='copy' takes one state, but decoder h[layer=0] ← encoder h[layer=0, forward, "
            "step=last], encoder h[layer=0, reverse, step=0] has 2 directions to read; use "
            "hidden='concat', 'sum', 'mean' or 'project'.",
        ),
        (
            ONE,
            TWO,
            "concat",
            "top",
            "zero",
            "decoder h[layer=0] ← concat(encoder h[layer=0, forward, step=last], encoder h["
            "layer=0, reverse, step=0]) makes a state of 8, but the decoder needs 4; change a "
            "hidden size or use hidden='project'.",
        ),
    ],
)
def test_refusals_when_built(
    encoder: StackShape, decoder: StackShape, how: str, layers: str, cell: str, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        Bridge(encoder, decoder, how, layers, cell)


@pytest.mark.usefixtures("as_users_call")
def test_a_side_without_a_shape_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^the encoder is a torch\.nn\.modules\.rnn\.LSTM, which "):
        Bridge(torch.nn.LSTM(3, 4), LSTM(3, 4))
    with pytest.raises(TypeError, match=r"pass a layer of unrolled\.nn or an unrolled\.grid\.Stac"):
        Bridge(LSTM(3, 4), 4)


@pytest.mark.usefixtures("as_users_call")
def test_refusals_when_run() -> None:
    bridge = Bridge(LSTM(3, 4, 2), LSTM(3, 4, 2))
    good = torch.zeros(2, 3, 4)
    for given, start in (
        ((torch.zeros(2, 3, 5), good), "hidden_state has shape (2, 3, 5); this bridge reads (2, 3"),
        ((good, torch.zeros(2, 1, 4)), "cell_state has shape (2, 1, 4); this bridge reads (2, 3, "),
        (
            (torch.zeros(4),),
            "hidden_state has shape (4,); this bridge reads (2, batch, 4): (lay",
        ),
        ((torch.zeros(2, 4),), "hidden_state has shape (2, 4); this bridge reads (2, batch, 4): "),
        (
            (good,),
            "decoder c[layer=0] ← concat(encoder c[layer=0, forward, step=last]) reads the "
            "encoder's cell_state, and none was given; pass c_n too.",
        ),
    ):
        with pytest.raises(ValueError, match=rf"^{re.escape(start)}"):
            bridge(*given)
    with pytest.raises(ValueError, match=r"reads an encoder of 'rnn_tanh', which has none; leave"):
        Bridge(RNN(3, 4), GRU(3, 4))(torch.zeros(1, 3, 4), torch.zeros(1, 3, 4))


def test_gradients_of_project() -> None:
    torch.manual_seed(0)
    bridge = Bridge(LSTM(3, 2, 1, bidirectional=True), LSTM(3, 3, 2), "project", "top").double()
    names = [name for name, _ in bridge.named_parameters()]

    def run(h_n: Tensor, c_n: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(bridge, given, (h_n, c_n))

    leaves = [torch.randn(2, 2, 2).double(), torch.randn(2, 2, 2).double()]
    leaves += [weight.detach().clone() for weight in bridge.parameters()]
    assert len(names) == 8
    assert torch.autograd.gradcheck(run, [leaf.requires_grad_() for leaf in leaves])


def test_a_projected_sample_does_not_depend_on_its_batch_mates() -> None:
    torch.manual_seed(0)
    encoder = StackShape("lstm", 3, 37, bidirectional=True)
    bridge = Bridge(encoder, StackShape("lstm", 3, 29), hidden="project").eval()
    h, c = torch.randn(2, 2, 50, 37)
    with torch.inference_mode(), unrolled.engine("native"):
        together = bridge(h, c)
        for at in range(50):
            alone = bridge(h[:, at : at + 1], c[:, at : at + 1])
            for found, expected in zip(alone, together, strict=True):
                assert torch.equal(found[:, 0], expected[:, at])
    with torch.inference_mode(), unrolled.engine("torch"):
        torch.testing.assert_close(bridge(h, c), together, rtol=1e-5, atol=1e-6)


def test_a_projection_that_is_watched_is_run_itself() -> None:
    bridge = Bridge(StackShape("gru", 3, 4), StackShape("gru", 3, 5), hidden="project")
    bridge.projections["hidden_l0"].register_forward_hook(lambda *_: torch.zeros(6, 5))
    with torch.inference_mode():
        assert not bridge(torch.ones(1, 6, 4))[0].any()


class Doubled(torch.nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def test_a_projection_of_somebody_s_own_is_run_itself() -> None:
    bridge = Bridge(StackShape("gru", 3, 4), StackShape("gru", 3, 5), hidden="project")
    h = torch.randn(1, 6, 4)
    for own in (Doubled(4, 5), torch.nn.Linear(4, 5, bias=False)):
        bridge.projections["hidden_l0"] = own
        with torch.inference_mode():
            torch.testing.assert_close(bridge(h)[0][0], own(h[0]).tanh())
