"""What a search finds, against plain loops over every possibility."""

import pickle
import re
from itertools import product
from math import inf, nan

import pytest
import torch
from tiny_models import padded, teacher, tiny_model
from torch import Tensor

from unrolled.kernels._search import NoProbabilitiesError
from unrolled.seq2seq import Hypothesis, Seq2Seq, beam_search, greedy_search
from unrolled.seq2seq._search_error import no_end, no_probabilities

SOURCES = [[4, 5, 6], [5], [6, 6, 4, 5]]
NEVER = [0, 1, 3]
WHOLE = "it must be a whole number from 1 to"


def score(model: Seq2Seq, source: list[int], target: list[int]) -> float:
    target_in, target_out, lengths = teacher([target])
    return float(model.score(*padded([source]), target_in, target_out, lengths))


def argmax_loop(model: Seq2Seq, source: list[int], limit: int) -> list[int]:
    state, last, written = model.start(*padded([source])), torch.tensor([1]), []
    with torch.no_grad():
        while len(written) < limit:
            logits, _, state = model.decoder.step(last, state)
            logits[:, NEVER] = -torch.inf
            last = logits.argmax(dim=1)
            if int(last) == 2:
                break
            written.append(int(last))
    return written


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("input_feeding", [False, True])
def test_greedy_is_the_argmax_of_every_step(seed: int, input_feeding: bool) -> None:
    model = tiny_model(seed=seed, input_feeding=input_feeding)
    limits = torch.tensor([4, 6, 9])
    found = greedy_search(model, *padded(SOURCES), limits)
    for source, limit, (hypothesis,) in zip(SOURCES, limits.tolist(), found, strict=True):
        assert hypothesis.symbols == argmax_loop(model, source, limit)
    (beam_of_one,) = zip(*beam_search(model, *padded(SOURCES), limits, beam_size=1), strict=True)
    assert [h.symbols for h in beam_of_one] == [h[0].symbols for h in found]


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_large_beam_is_exhaustive(alpha: float, seed: int) -> None:
    model = tiny_model(seed=seed)
    limits = [3, 1, 2]
    found = beam_search(
        model,
        *padded(SOURCES),
        torch.tensor(limits),
        beam_size=64,
        n_best=5,
        length_penalty=alpha,
    )
    for source, limit, hypotheses in zip(SOURCES, limits, found, strict=True):
        every = [list(t) for n in range(limit + 1) for t in product([4, 5, 6], repeat=n)]
        scored = [
            (score(model, source, target) / ((5 + len(target) + 1) / 6) ** alpha, target)
            for target in every
        ]
        best = sorted(scored, reverse=True)[:5]
        assert [h.symbols for h in hypotheses] == [target for _, target in best]
        for hypothesis, (expected, _) in zip(hypotheses, best, strict=True):
            assert hypothesis.score == pytest.approx(expected, abs=1e-12)


def test_n_best_is_sorted_and_each_probability_is_the_model_s() -> None:
    model = tiny_model(seed=3, input_feeding=True)
    found = beam_search(
        model, *padded(SOURCES), torch.tensor([5, 5, 5]), beam_size=4, n_best=4, length_penalty=1.0
    )
    for source, hypotheses in zip(SOURCES, found, strict=True):
        assert len(hypotheses) == 4
        assert len({tuple(h.symbols) for h in hypotheses}) == 4
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        for h in hypotheses:
            assert h.log_probability == pytest.approx(score(model, source, h.symbols), abs=1e-12)
            assert h.score == pytest.approx(h.log_probability / ((5 + len(h.symbols) + 1) / 6))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_each_limit_forces_the_end(beam_size: int) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.decoder.vocabulary.bias[2] = -1e3
    found = beam_search(model, *padded(SOURCES), torch.tensor([2, 0, 4]), beam_size=beam_size)
    assert [len(hypotheses[0].symbols) for hypotheses in found] == [2, 0, 4]


@pytest.mark.parametrize("input_feeding", [False, True])
def test_attention_rows_are_those_of_the_known_target(input_feeding: bool) -> None:
    model = tiny_model(seed=5, input_feeding=input_feeding)
    found = beam_search(
        model,
        *padded(SOURCES),
        torch.tensor([4, 2, 5]),
        beam_size=3,
        n_best=3,
        attention=True,
    )
    for source, hypotheses in zip(SOURCES, found, strict=True):
        for h in hypotheses:
            target_in, _, lengths = teacher([h.symbols])
            weights: Tensor = model(*padded([source]), target_in, lengths).weights[0]
            assert h.attention is not None
            torch.testing.assert_close(h.attention, weights, rtol=0, atol=1e-12, check_layout=False)
    plain = beam_search(model, *padded(SOURCES), torch.tensor([4, 2, 5]))
    assert all(h.attention is None for hypotheses in plain for h in hypotheses)


def test_no_sources_give_nothing() -> None:
    none = torch.zeros(0, 3, dtype=torch.long)
    counts = torch.zeros(0, dtype=torch.long)
    assert beam_search(tiny_model(), none, counts, counts) == []


def test_a_hypothesis_is_not_compared_by_its_tensors() -> None:
    assert Hypothesis([4], -1.0, -1.0, torch.ones(2, 1)) != Hypothesis([4], -1.0, -1.0)


@pytest.mark.parametrize(
    ("choices", "limits", "message"),
    [
        ({"beam_size": 0}, 3, f"beam_size is 0; {WHOLE} 268435456."),
        ({"beam_size": 2.0}, 3, f"beam_size is 2.0; {WHOLE} 268435456."),
        ({"beam_size": True}, 3, f"beam_size is True; {WHOLE} 268435456."),
        ({"beam_size": 2**62}, 3, f"beam_size is 4611686018427387904; {WHOLE} 268435456."),
        ({"beam_size": 2, "n_best": 3}, 3, f"n_best is 3; {WHOLE} beam_size=2."),
        ({"n_best": 0}, 3, f"n_best is 0; {WHOLE} beam_size=5."),
        ({"length_penalty": -1.0}, 3, "length_penalty is -1.0; it must be between 0 and 5."),
        ({"length_penalty": 5.5}, 3, "length_penalty is 5.5; it must be between 0 and 5."),
        ({"length_penalty": inf}, 3, "length_penalty is inf; it must be between 0 and 5."),
        ({"length_penalty": nan}, 3, "length_penalty is nan; it must be between 0 and 5."),
        ({"length_penalty": "1"}, 3, "length_penalty is '1'; it must be between 0 and 5."),
        ({}, 2, "limits has shape (2,), but there are 3 sources; pass one limit for each."),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_refusals(choices: dict[str, float], limits: int, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        beam_search(tiny_model(), *padded(SOURCES), torch.full((limits,), 3), **choices)


@pytest.mark.parametrize("limit", [-1, 2**28 + 1])
@pytest.mark.usefixtures("as_users_call")
def test_limits_that_cannot_be(limit: int) -> None:
    message = f"a limit is {limit}; each must be from 0 to 268435456."
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        beam_search(tiny_model(), *padded(SOURCES), torch.tensor([3, limit, 4]))


@pytest.mark.parametrize("limits", [[2.7, 3.0], [nan, 1.0], [True, False]])
@pytest.mark.usefixtures("as_users_call")
def test_limits_that_count_nothing(limits: list[float]) -> None:
    given = torch.tensor(limits)
    with pytest.raises(ValueError, match=rf"limits are {given.dtype}; they count symbols"):
        beam_search(tiny_model(), *padded([[4], [5]]), given)


@pytest.mark.parametrize(
    "error", [no_end(3), no_probabilities(1, 2), NoProbabilitiesError(4, 5)], ids=str
)
def test_a_failure_comes_whole_from_another_process(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
