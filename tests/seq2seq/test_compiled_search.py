"""The search in the kernels finds what the search step by step through the modules finds."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiny_models import padded, tiny_model
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from unrolled import engine
from unrolled.errors import ModelError
from unrolled.kernels import why_unavailable
from unrolled.nn import RNN, AdditiveAttention, Attended
from unrolled.seq2seq import DecoderState, Encoded, Encoder, Hypothesis, Seq2Seq, beam_search
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
            assert one.score == pytest.approx(other.score, rel=1e-5, abs=1e-5)
            assert one.log_probability == pytest.approx(other.log_probability, rel=1e-5, abs=1e-5)
            assert (one.attention is None) == (other.attention is None)
            if one.attention is not None and other.attention is not None:
                torch.testing.assert_close(
                    one.attention.double(), other.attention, rtol=1e-5, atol=1e-5
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


class _OwnAttention(AdditiveAttention):
    def read(self, query: Tensor, *others: Tensor) -> Attended:  # type: ignore[override]
        return super().read(3 * query, *others)


class _OwnProduct(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 3 * super().forward(x)


class _OwnDropout(nn.Module):
    p = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return 0.1 * x


class _OwnVocabulary(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, [0, 1, 2, 3, 4, 5, 6]]


class _OwnStart(Seq2Seq):
    def start(self, *arguments: Tensor) -> DecoderState:
        state = super().start(*arguments)
        return state._replace(hidden=0 * state.hidden)


class _HidesTheFirstStep(Encoder):
    def forward(self, *arguments: Tensor) -> Encoded:
        encoded = super().forward(*arguments)
        mask = encoded.mask.clone()
        mask[:, 0] = False
        return encoded._replace(mask=mask)


class _HalvesTheSteps(Encoder):
    def forward(self, *arguments: Tensor) -> Encoded:
        encoded = super().forward(*arguments)
        return encoded._replace(memory=encoded.memory[:, ::2], mask=encoded.mask[:, ::2])


def _like(part: nn.Linear, kind: type[nn.Linear] = nn.Linear, *, bias: bool = False) -> nn.Linear:
    made = kind(part.in_features, part.out_features, bias=bias)
    made.weight = part.weight
    if bias:
        nn.init.constant_(made.bias, 3.0)
    return made


def _with_a_hook(model: Seq2Seq) -> None:
    model.decoder.combine.register_forward_hook(lambda _, __, output: 0.1 * output)


def _with_an_attention_of_its_own(model: Seq2Seq) -> None:
    own = _OwnAttention(8, 8, 8)
    own.load_state_dict(model.decoder.attention.state_dict())
    model.decoder.attention = own


def _with_a_product_of_its_own_in_the_attention(model: Seq2Seq) -> None:
    attention = model.decoder.attention
    assert isinstance(attention, AdditiveAttention)
    attention.query = _like(attention.query, _OwnProduct)


def _with_a_bias_in_the_attention(model: Seq2Seq) -> None:
    attention = model.decoder.attention
    assert isinstance(attention, AdditiveAttention)
    # A different one for each feature of a key, or the softmax would not see it.
    attention.key = _like(attention.key, bias=True)
    nn.init.normal_(attention.key.bias, std=3.0)


def _with_a_sequence_of_parts(model: Seq2Seq) -> None:
    model.decoder.vocabulary = nn.Sequential(  # type: ignore[assignment]
        model.decoder.vocabulary, nn.LogSigmoid()
    )


def _with_a_dropout_of_its_own(model: Seq2Seq) -> None:
    model.decoder.dropout = _OwnDropout()  # type: ignore[assignment]


def _without_dropout_in_training(model: Seq2Seq) -> None:
    model.decoder.dropout = nn.Identity()  # type: ignore[assignment]
    model.train()


def _with_a_bias_in_combine(model: Seq2Seq) -> None:
    model.decoder.combine = _like(model.decoder.combine, bias=True)
    nn.init.normal_(model.decoder.combine.bias, std=3.0)


def _with_no_bias_in_the_vocabulary(model: Seq2Seq) -> None:
    model.decoder.vocabulary = _like(model.decoder.vocabulary)


def _with_a_vocabulary_of_its_own(model: Seq2Seq) -> None:
    model.decoder.vocabulary = _OwnVocabulary()  # type: ignore[assignment]


def _writing_fewer_symbols_than_it_reads(model: Seq2Seq) -> None:
    model.decoder.vocabulary = nn.Linear(8, 6)


def _with_a_forward_put_on_a_part(model: Seq2Seq) -> None:
    forward = model.decoder.combine.forward
    model.decoder.combine.forward = lambda x: 0.1 * forward(x)  # type: ignore[method-assign]


def _with_a_step_put_on_it(model: Seq2Seq) -> None:
    step = model.decoder.step

    def constrained(*arguments: Any) -> tuple[Tensor, Tensor, DecoderState]:
        logits, weights, state = step(*arguments)
        logits[:, 4] = -torch.inf
        return logits, weights, state

    model.decoder.step = constrained  # type: ignore[method-assign]


def _with_a_start_of_its_own(model: Seq2Seq) -> None:
    model.__class__ = _OwnStart


def _with_a_hidden_step(model: Seq2Seq) -> None:
    model.encoder.__class__ = _HidesTheFirstStep


def _with_half_of_the_steps(model: Seq2Seq) -> None:
    model.encoder.__class__ = _HalvesTheSteps


def _with_states_as_steps(model: Seq2Seq) -> None:
    model.decoder.layer.batch_first = False


def _in_double(model: Seq2Seq) -> None:
    model.double()


def _dropping_alone(model: Seq2Seq) -> None:
    model.decoder.dropout.p = 0.5
    model.decoder.dropout.train()


def _dropping_between_layers(model: Seq2Seq) -> None:
    model.decoder.layer.dropout = 0.5
    model.decoder.layer.train()


def _parametrized(model: Seq2Seq) -> None:
    nn.utils.parametrizations.weight_norm(model.decoder.combine)


def _with_short_embeddings(model: Seq2Seq) -> None:
    model.decoder.embedding.max_norm = 0.1


CHANGES = [
    _with_a_hook,
    _with_an_attention_of_its_own,
    _with_a_product_of_its_own_in_the_attention,
    _with_a_bias_in_the_attention,
    _with_a_sequence_of_parts,
    _with_a_dropout_of_its_own,
    _without_dropout_in_training,
    _with_a_bias_in_combine,
    _with_no_bias_in_the_vocabulary,
    _with_a_vocabulary_of_its_own,
    _writing_fewer_symbols_than_it_reads,
    _with_a_forward_put_on_a_part,
    _with_a_step_put_on_it,
    _with_a_start_of_its_own,
    _with_a_hidden_step,
    _with_half_of_the_steps,
    _in_double,
    _dropping_alone,
    _parametrized,
    _with_short_embeddings,
]


def _exactly(found: list[list[Hypothesis]]) -> list[tuple[list[int], float]]:
    return [(h.symbols, h.score) for hypotheses in found for h in hypotheses]


def _on(name: str, model: Seq2Seq, sources: list[list[int]]) -> list[tuple[list[int], float]]:
    torch.manual_seed(1)
    with engine(name):
        return _exactly(beam_search(model, *padded(sources), torch.tensor([6] * len(sources))))


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_kernels_do_not_know_goes_through_the_modules(
    change: Callable[[Seq2Seq], None],
) -> None:
    model = tiny_model(torch.float32, attention="additive", decoder_layers=2, bridge_layers="top")
    sources = [[4, 5, 6], [5, 4, 4]]
    unchanged = _on("native", model, sources)
    change(model)
    found, expected = (_on(name, model, sources) for name in ("native", "torch"))
    assert [symbols for symbols, _ in found] == [symbols for symbols, _ in expected]
    scores = [score for _, score in expected]
    assert [score for _, score in found] == pytest.approx(scores, rel=1e-5)
    harmless = (_without_dropout_in_training, _in_double, _parametrized)
    if change not in harmless:  # or the comparison would say nothing
        assert scores != pytest.approx([score for _, score in unchanged], rel=1e-4)


def test_a_hook_on_every_module_goes_through_the_modules() -> None:
    model, sources = tiny_model(torch.float32), [[4, 5, 6]]
    unchanged = _on("native", model, sources)

    def halve(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        return output / 2 if isinstance(module, nn.Linear) else None

    handle = register_module_forward_hook(halve)  # type: ignore[arg-type]
    try:
        found, expected = (_on(name, model, sources) for name in ("native", "torch"))
    finally:
        handle.remove()
    [(symbols, score)], [(expected_symbols, expected_score)] = found, expected
    assert symbols == expected_symbols
    assert score == pytest.approx(expected_score, rel=1e-5)
    assert score != pytest.approx(unchanged[0][1], rel=1e-4)


@torch.no_grad()
def test_dropout_between_layers_drops() -> None:
    """What is dropped is not the same on two engines, so nothing is compared."""
    model = tiny_model(torch.float32, decoder_layers=2, bridge_layers="top")
    assert is_compiled_search_possible(model)
    unchanged = _on("native", model, [[4, 5, 6]])
    model.decoder.layer.dropout = 0.5
    assert is_compiled_search_possible(model)
    model.decoder.layer.train()
    assert not is_compiled_search_possible(model)
    assert _on("native", model, [[4, 5, 6]]) != unchanged


def _with_an_encoder_in_double(model: Seq2Seq) -> None:
    model.encoder.double()
    model.bridge.double()


@pytest.mark.parametrize("change", [_with_an_encoder_in_double, _with_states_as_steps])
@pytest.mark.usefixtures("as_users_call")
def test_what_cannot_be_searched_is_refused_as_its_modules_refuse_it(
    change: Callable[[Seq2Seq], None],
) -> None:
    model = tiny_model(torch.float32)
    change(model)
    texts = []
    for name in ("native", "torch"):
        with pytest.raises((RuntimeError, ValueError)) as refused:
            _on(name, model, [[4, 5], [6, 4]])
        texts.append(str(refused.value))
    assert texts[0] == texts[1]


@torch.no_grad()
def test_another_engine_is_not_asked_what_the_kernels_know() -> None:
    with engine("torch"):
        assert not is_compiled_search_possible(tiny_model(torch.float32))


def _relu_for_tanh(layer: Any) -> nn.Module:
    return RNN(layer.input_size, layer.hidden_size, 1, "relu", batch_first=True)


def _no_bias(layer: Any) -> nn.Module:
    return RNN(layer.input_size, layer.hidden_size, 1, bias=False, batch_first=True)


@pytest.mark.parametrize("make", [_relu_for_tanh, _no_bias])
def test_a_layer_that_was_replaced_is_seen(make: Callable[[Any], nn.Module]) -> None:
    model, sources = tiny_model(torch.float32, cell="rnn_tanh"), [[4, 5, 6], [5, 4]]
    unchanged = _on("native", model, sources)
    old, new = model.decoder.layer, make(model.decoder.layer)
    new.load_state_dict({k: v for k, v in old.state_dict().items() if k in dict(new.state_dict())})
    model.decoder.layer = new  # type: ignore[assignment]
    with torch.no_grad():
        assert is_compiled_search_possible(model)
    found, expected = (_on(name, model, sources) for name in ("native", "torch"))
    assert [symbols for symbols, _ in found] == [symbols for symbols, _ in expected]
    assert [s for _, s in found] == pytest.approx([s for _, s in expected], rel=1e-5)
    assert found != unchanged


def test_weights_that_change_are_seen() -> None:
    model, other = (tiny_model(torch.float32, seed=seed) for seed in (1, 2))
    source, limits = padded([[4, 5, 6], [5]]), torch.tensor([8, 8])
    before = beam_search(model, *source, limits)
    expected = beam_search(copy.deepcopy(other), *source, limits)
    assert [h.score for (h,) in before] != [h.score for (h,) in expected]
    model.load_state_dict(other.state_dict())
    after = beam_search(model, *source, limits)
    assert [h.score for (h,) in after] == [h.score for (h,) in expected]


ENGINES = ["native", "torch"]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("symbol", [0, 2, 6])
def test_a_model_without_probabilities_is_refused(name: str, value: float, symbol: int) -> None:
    model = tiny_model(torch.float32)
    with torch.no_grad():
        model.decoder.vocabulary.bias[symbol] = value
    message = (
        "no target was found for source 0: the model's probabilities at target step 0 are not "
        "numbers, since its weights or states hold NaN or infinity; load or train a sound model."
    )
    with engine(name), pytest.raises(ModelError, match=rf"^{re.escape(message)}$"):
        beam_search(model, *padded([[4, 5], [5]]), torch.tensor([3, 3]))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_first_hypothesis_without_probabilities_is_named_on_every_engine(
    beam_size: int,
) -> None:
    """A symbol whose embedding is no number, which several sources read, and not all at once."""
    messages = set()
    for seed in range(8):
        model = tiny_model(torch.float32, seed=seed)
        with torch.no_grad():
            model.decoder.embedding.weight[5] = torch.nan
        sources = [[4, 5, 6], [5], [6, 6, 4, 5], [4]]
        texts = []
        for name in ENGINES:
            with engine(name):
                try:
                    found = beam_search(
                        model, *padded(sources), torch.tensor([6] * 4), beam_size=beam_size
                    )
                    texts.append(str(_exactly(found) and [h.symbols for (h,) in found]))
                except ModelError as error:
                    texts.append(str(error))
        assert texts[0] == texts[1]
        messages.add(texts[0])
    assert len({text for text in messages if "not numbers" in text}) > 1  # not always the same


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_never_read_may_be_anything(name: str) -> None:
    model = tiny_model(torch.float32, seed=4)
    asked = (*padded([[4, 5, 6], [5]]), torch.tensor([6, 1]))
    with engine(name):
        expected = beam_search(model, *asked, beam_size=6, n_best=4)
        with torch.no_grad():
            model.decoder.embedding.weight[[0, 2, 3]] = torch.nan
        assert _exactly(beam_search(model, *asked, beam_size=6, n_best=4)) == _exactly(expected)


@pytest.mark.parametrize("name", ENGINES)
def test_targets_that_cannot_end_are_refused(name: str) -> None:
    model = tiny_model(torch.float32)
    with torch.no_grad():
        model.decoder.vocabulary.bias[2] = -torch.inf
    message = (
        "no target was found for source 0: the model gives none of its targets the probability to "
        "end; train it on targets that end."
    )
    with engine(name), pytest.raises(ModelError, match=rf"^{re.escape(message)}$"):
        beam_search(model, *padded([[4, 5]]), torch.tensor([3]))


def _of_equal_symbols(model: Seq2Seq) -> None:
    for weight in (model.decoder.vocabulary.weight, model.decoder.vocabulary.bias):
        weight.zero_()


def _of_twins(model: Seq2Seq) -> None:
    """5 and 6 are written alike and read alike."""
    for weight in (
        model.decoder.vocabulary.weight,
        model.decoder.vocabulary.bias,
        model.decoder.embedding.weight,
    ):
        weight[5] = weight[6]


@pytest.mark.parametrize("make", [_of_equal_symbols, _of_twins])
@pytest.mark.parametrize("beam_size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("vocabulary", [7, 40])
def test_of_equals_the_first_place_and_the_lowest_symbol_go_first(
    make: Callable[[Seq2Seq], None], beam_size: int, vocabulary: int
) -> None:
    for seed in range(4):
        model = tiny_model(torch.float32, seed=seed, target_vocab_size=vocabulary)
        with torch.no_grad():
            make(model)
        found = {}
        for name in ENGINES:
            with engine(name):
                best = beam_search(
                    model,
                    *padded([[4, 5, 6], [5]]),
                    torch.tensor([5, 3]),
                    beam_size=beam_size,
                    n_best=beam_size,
                )
            found[name] = [[h.symbols for h in hypotheses] for hypotheses in best]
        assert found["native"] == found["torch"]


def test_a_beam_wider_than_all_there_is_takes_no_more_room() -> None:
    model = tiny_model(torch.float32)
    asked = (*padded([[4, 5, 6], [5]]), torch.tensor([3, 2]))
    found = beam_search(model, *asked, beam_size=2**28, n_best=5)
    with engine("torch"):
        expected = beam_search(model.double(), *asked, beam_size=2**28, n_best=5)
    same(found, expected)


def test_a_long_target_is_found_whole() -> None:
    """More is written than is kept: what nothing follows from is forgotten meanwhile."""
    for seed in (1, 2):
        model = tiny_model(torch.float32, seed=seed)
        with torch.no_grad():
            model.decoder.vocabulary.bias[2] -= 8
        asked = {"beam_size": 4, "n_best": 3, "attention": True}
        source, limits = padded([[4, 5, 6], [5]]), torch.tensor([900, 700])
        found = beam_search(model, *source, limits, **asked)  # type: ignore[arg-type]
        with engine("torch"):
            expected = beam_search(model.double(), *source, limits, **asked)  # type: ignore[arg-type]
        assert max(len(h.symbols) for hypotheses in found for h in hypotheses) > 600
        same(found, expected)


def test_attention_is_of_the_type_of_the_model_whatever_the_default() -> None:
    model = tiny_model(torch.float32)
    asked = (*padded([[4, 5, 6]]), torch.tensor([6]))
    (expected,) = beam_search(model, *asked, attention=True)[0]
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            found = {}
            for name in ENGINES:
                with engine(name):
                    (found[name],) = beam_search(model, *asked, attention=True)[0]
    finally:
        torch.set_default_dtype(torch.float32)
    for one in found.values():
        assert isinstance(one.attention, Tensor)
        assert one.attention.dtype == torch.float32
        assert one.attention.device == torch.device("cpu")
        torch.testing.assert_close(one.attention, expected.attention)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.usefixtures("as_users_call")
def test_a_vocabulary_without_the_special_symbols_is_refused(name: str) -> None:
    model = tiny_model(torch.float32)
    model.decoder.vocabulary = nn.Linear(8, 3)
    model.decoder.embedding = nn.Embedding(3, 4)
    message = (
        "the decoder writes 3 symbols, but a search needs the 4 special ones <pad>, <begin>, "
        "<end>, <unknown>, which come first; build it with a vocab_size of 4 or more."
    )
    with engine(name), pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        beam_search(model, *padded([[4, 5]]), torch.tensor([3]))
