"""The search in the kernels finds what the search step by step through the modules finds."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiny_models import padded, tiny_model
from torch import Tensor, nn

from unrolled import engine
from unrolled.errors import ModelError
from unrolled.kernels import why_unavailable
from unrolled.nn import AdditiveAttention
from unrolled.seq2seq import Hypothesis, Seq2Seq, beam_search
from unrolled.seq2seq._compiled_search import is_compiled_search_possible

pytestmark = pytest.mark.skipif(
    why_unavailable() is not None,
    reason="needs the compiled kernels; runs again where they are built",
)

MODELS = some.fixed_dictionaries(
    {
        "seed": some.integers(0, 10_000),
        "cell": some.sampled_from(["lstm", "gru", "rnn_tanh", "rnn_relu"]),
        "decoder_layers": some.integers(1, 3),
        "input_feeding": some.booleans(),
        "attention": some.sampled_from(["additive", "concat", "dot", "general"]),
        "attention_size": some.sampled_from([5, 8, 17]),
        "bridge_hidden": some.just("project"),
        "bridge_layers": some.just("top"),
    }
)


def model_of(choices: dict[str, object]) -> Seq2Seq:
    choices = dict(choices)
    if choices["attention"] not in ("additive", "concat"):
        choices.pop("attention_size")
    model = tiny_model(torch.float32, **choices)
    if choices["cell"] == "rnn_relu":
        with torch.no_grad():  # or its states grow without end
            for weight in model.parameters():
                weight.mul_(0.5)
    return model


def same(found: list[list[Hypothesis]], expected: list[list[Hypothesis]]) -> None:
    for some_found, some_expected in zip(found, expected, strict=True):
        assert [h.symbols for h in some_found] == [h.symbols for h in some_expected]
        for one, other in zip(some_found, some_expected, strict=True):
            assert one.score == pytest.approx(other.score, rel=1e-4, abs=1e-4)
            assert one.log_probability == pytest.approx(other.log_probability, rel=1e-4, abs=1e-4)
            assert (one.attention is None) == (other.attention is None)
            if one.attention is not None and other.attention is not None:
                torch.testing.assert_close(
                    one.attention.double(), other.attention, rtol=1e-3, atol=1e-4
                )


@settings(max_examples=60, deadline=None)
@given(
    choices=MODELS,
    sources=some.lists(
        some.lists(some.integers(4, 6), min_size=1, max_size=9), min_size=1, max_size=7
    ),
    limit=some.integers(0, 12),
    beam_size=some.integers(1, 6),
    n_best=some.integers(1, 6),
    alpha=some.sampled_from([0.0, 0.6, 1.5]),
)
def test_it_finds_what_the_modules_find(
    choices: dict[str, object],
    sources: list[list[int]],
    limit: int,
    beam_size: int,
    n_best: int,
    alpha: float,
) -> None:
    model = model_of(choices)
    limits = torch.tensor([max(0, limit - number) for number in range(len(sources))])
    asked = {
        "beam_size": beam_size,
        "n_best": min(n_best, beam_size),
        "length_penalty": alpha,
        "attention": True,
    }
    found = beam_search(model, *padded(sources), limits, **asked)  # type: ignore[arg-type]
    with engine("torch"):
        expected = beam_search(model.double(), *padded(sources), limits, **asked)  # type: ignore[arg-type]
    same(found, expected)


@pytest.mark.parametrize("attention", ["additive", "dot"])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_target_is_the_same_to_the_last_bit_in_any_company(
    attention: str, beam_size: int
) -> None:
    # No projection in the bridge, which PyTorch multiplies in another order in another batch.
    model = tiny_model(torch.float32, attention=attention, bridge_hidden="concat", seed=5)
    chance = torch.Generator().manual_seed(0)
    sources = [
        torch.randint(4, 7, (int(length),), generator=chance).tolist()
        for length in torch.randint(1, 12, (130,), generator=chance)
    ]
    threads = torch.get_num_threads()
    together = beam_search(
        model, *padded(sources, extra=3), torch.full((130,), 9), beam_size=beam_size, attention=True
    )
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for source, (expected,) in list(zip(sources, together, strict=True))[::13]:
                ((alone,),) = beam_search(
                    model, *padded([source]), torch.tensor([9]), beam_size=beam_size, attention=True
                )
                assert alone.symbols == expected.symbols
                assert alone.score == expected.score
                assert isinstance(alone.attention, Tensor)
                assert isinstance(expected.attention, Tensor)
                assert torch.equal(alone.attention, expected.attention)
    finally:
        torch.set_num_threads(threads)


class _Own(AdditiveAttention):
    pass


def _with_a_hook(model: Seq2Seq) -> None:
    model.decoder.combine.register_forward_hook(lambda *_: None)


def _with_an_attention_of_its_own(model: Seq2Seq) -> None:
    model.decoder.attention = _Own(8, 8, 8)  # type: ignore[assignment]


def _with_a_layer_replaced(model: Seq2Seq) -> None:
    model.decoder.vocabulary = nn.Sequential(model.decoder.vocabulary)  # type: ignore[assignment]


def _in_double(model: Seq2Seq) -> None:
    model.double()


def _in_training(model: Seq2Seq) -> None:
    model.train()
    model.decoder.dropout.p = 0.5


def _parametrized(model: Seq2Seq) -> None:
    nn.utils.parametrizations.weight_norm(model.decoder.combine)


@pytest.mark.parametrize(
    "change",
    [
        _with_a_hook,
        _with_an_attention_of_its_own,
        _with_a_layer_replaced,
        _in_double,
        _in_training,
        _parametrized,
    ],
)
@torch.no_grad()
def test_what_the_kernels_do_not_know_goes_through_the_modules(change: object) -> None:
    model = tiny_model(torch.float32)
    assert is_compiled_search_possible(model)
    change(model)  # type: ignore[operator]
    assert not is_compiled_search_possible(model)
    beam_search(model, *padded([[4, 5]]), torch.tensor([3]))


def test_weights_that_change_are_seen() -> None:
    model, other = (tiny_model(torch.float32, seed=seed) for seed in (1, 2))
    source, limits = padded([[4, 5, 6], [5]]), torch.tensor([8, 8])
    before = beam_search(model, *source, limits)
    expected = beam_search(copy.deepcopy(other), *source, limits)
    assert [h.score for (h,) in before] != [h.score for (h,) in expected]
    model.load_state_dict(other.state_dict())
    after = beam_search(model, *source, limits)
    assert [h.score for (h,) in after] == [h.score for (h,) in expected]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_model_without_probabilities_is_refused(value: float) -> None:
    model = tiny_model(torch.float32)
    with torch.no_grad():
        model.decoder.vocabulary.bias.fill_(value)
    with pytest.raises(ModelError, match="no target was found for source 0"):
        beam_search(model, *padded([[4, 5]]), torch.tensor([3]))


def test_a_beam_whose_size_cannot_be_counted_is_refused() -> None:
    model = tiny_model(torch.float32)
    with pytest.raises(ValueError, match="beam_size is 4611686018427387904; it must be at most"):
        beam_search(model, *padded([[4, 5]]), torch.tensor([3]), beam_size=2**62)
