"""A sample's results never depend on what stands beside it, nor on the engine."""

import copy
from itertools import product

import pytest
import torch
from tiny_models import padded, teacher, tiny_model

import unrolled
from unrolled.seq2seq import Seq2Seq, beam_search

SOURCES = [[4, 5, 6, 4], [6], [5, 5, 4, 6, 6]]
TARGETS = [[5, 4], [6, 6, 5, 4], [4]]
LIMITS = [5, 3, 4]
CASES = list(
    product(
        ("additive", "dot", "general", "concat"),
        ("concat", "sum", "mean", "project", "copy", "zero", "learned"),
        (False, True),
        ("lstm", "gru", "rnn_tanh", "rnn_relu"),
    )
)


def model_of(
    attention: str, bridge: str, feeding: bool, cell: str, dtype: torch.dtype = torch.float32
) -> Seq2Seq:
    """Both sides fit every attention: the memory is 8 wide and so is the decoder."""
    alone = bridge in ("sum", "mean", "copy")
    return tiny_model(
        dtype,
        attention=attention,
        bridge_hidden=bridge,
        input_feeding=feeding,
        cell=cell,
        bidirectional=not alone,
        encoder_hidden_size=8 if alone else 4,
    )


def scores(model: Seq2Seq, order: list[int], extra: int = 0) -> torch.Tensor:
    source, lengths = padded([SOURCES[place] for place in order], extra)
    target_in, target_out, steps = teacher([TARGETS[place] for place in order], extra)
    return model.score(source, lengths, target_in, target_out, steps)


def found(model: Seq2Seq, order: list[int], beam: int, extra: int = 0) -> list[list[list[int]]]:
    source, lengths = padded([SOURCES[place] for place in order], extra)
    limits = torch.tensor([LIMITS[place] for place in order])
    hypotheses = beam_search(model, source, lengths, limits, beam_size=beam, n_best=beam)
    return [[h.symbols for h in some] for some in hypotheses]


@pytest.mark.parametrize(("attention", "bridge", "feeding", "cell"), CASES)
def test_alone_as_in_company(attention: str, bridge: str, feeding: bool, cell: str) -> None:
    model = model_of(attention, bridge, feeding, cell)
    alone = torch.cat([scores(model, [place]) for place in range(3)])
    alone_found = {beam: [found(model, [place], beam)[0] for place in range(3)] for beam in (1, 3)}
    for order, extra in (([0, 1, 2], 0), ([2, 0, 1], 3)):
        torch.testing.assert_close(scores(model, order, extra), alone[order], rtol=1e-6, atol=1e-6)
        for beam, expected in alone_found.items():
            assert found(model, order, beam, extra) == [expected[place] for place in order]


@pytest.mark.parametrize(("attention", "bridge", "feeding", "cell"), CASES)
def test_one_answer_on_every_engine(attention: str, bridge: str, feeding: bool, cell: str) -> None:
    model = model_of(attention, bridge, feeding, cell, torch.float64)
    order = [1, 2, 0]
    source, lengths = padded([SOURCES[place] for place in order])
    target_in, _, steps = teacher([TARGETS[place] for place in order])
    with unrolled.engine("torch"), torch.no_grad():
        by_torch = model(source, lengths, target_in, steps)
        strings = found(model, order, 3)
    with unrolled.engine("reference"), torch.no_grad():
        by_reference = model(source, lengths, target_in, steps)
        assert found(model, order, 3) == strings
    torch.testing.assert_close(by_torch, by_reference, rtol=1e-12, atol=1e-12)
    single = copy.deepcopy(model).float()
    with unrolled.engine("native"), torch.no_grad():
        by_native = single(source, lengths, target_in, steps)
        assert found(single, order, 3) == strings
    torch.testing.assert_close(by_native.logits.double(), by_torch.logits, rtol=1e-4, atol=1e-4)
