"""Text in, text out: order, company, n best, scores, unseen symbols."""

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from untrained_model import untrained

from unrolled.errors import DataError, ModelError
from unrolled.seq2seq import Prediction, Transducer

TRANSDUCER = untrained(seed=2, spread=0.7)
TRANSDUCER.model.double()  # float32 sums differ in their last digits with the padding beside them
# In double precision the search goes through the modules, step by step: each example takes long.
few_examples = settings(max_examples=25)
TEXT = st.text("abcde", min_size=1, max_size=12)


def alone(text: str, **search: Any) -> list[Prediction]:
    """What is predicted for a text that nothing stands beside."""
    [predictions] = TRANSDUCER.predict([text], **search)
    return predictions


@few_examples
@given(st.lists(TEXT, min_size=1, max_size=6), st.sampled_from([1, 3]))
def test_a_text_gets_its_own_prediction_whatever_stands_beside_it(
    texts: list[str], beam_size: int
) -> None:
    found = TRANSDUCER.predict(texts, beam_size=beam_size, n_best=beam_size)
    for text, predictions in zip(texts, found, strict=True):
        expected = alone(text, beam_size=beam_size, n_best=beam_size)
        assert [one.text for one in predictions] == [one.text for one in expected]
        assert [one.score for one in predictions] == pytest.approx(
            [one.score for one in expected], abs=1e-9
        )


def test_many_texts_of_many_lengths_come_back_in_their_order() -> None:
    chance = random.Random(3)
    texts = ["".join(chance.choices("abcde", k=chance.randint(1, 40))) for _ in range(900)]
    found = TRANSDUCER.predict(texts)  # more symbols than one batch takes
    assert ["".join(one.source_pieces) for [one] in found] == texts
    for place in chance.sample(range(900), 12):
        assert found[place][0].text == alone(texts[place])[0].text


def test_the_n_best_are_different_and_in_order() -> None:
    predictions = alone("abcab", beam_size=5, n_best=4)
    scores = [one.score for one in predictions]
    assert len({one.text for one in predictions}) == 4
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= alone("abcab")[0].score


@few_examples
@given(TEXT)
def test_a_prediction_is_as_likely_as_score_says(text: str) -> None:
    for best in alone(text, beam_size=3, n_best=3):
        if len(best.target_pieces) < 3 * len(text) + 20:  # one cut short has no END
            [score] = TRANSDUCER.score([(text, best.text)])
            assert score == pytest.approx(best.log_probability, abs=1e-9)
            assert best.score == best.log_probability


def test_scores_come_in_the_order_of_the_pairs() -> None:
    pairs = [("a", "A B"), ("abcde", ""), ("ab", "C"), ("abcdeabc", "A B C D E")]
    together = TRANSDUCER.score(pairs)
    assert together == pytest.approx([TRANSDUCER.score([pair])[0] for pair in pairs], abs=1e-9)
    assert all(score < 0 for score in together)


def test_what_can_follow_adds_up_to_one() -> None:
    # Every target either ends at once or begins with some symbol, known or not.
    model, source = TRANSDUCER.model, torch.tensor([TRANSDUCER.source_symbols.encode("abc")])
    lengths = torch.tensor([3])
    logits = model(source, lengths, torch.tensor([[1]]), torch.tensor([1])).logits[0, 0]
    [ends] = TRANSDUCER.score([("abc", "")])
    assert ends == pytest.approx(float(logits.log_softmax(-1)[2].detach()), abs=1e-9)


def test_unseen_symbols_are_named_once_each_in_order() -> None:
    [first], [second] = TRANSDUCER.predict(["azbyz", "ab"])
    assert first.unknown == ("z", "y")
    assert first.source_pieces == tuple("azbyz")
    assert second.unknown == ()


def test_attention_has_a_row_for_each_target_piece() -> None:
    [best] = alone("abcd", attention=True)
    assert best.attention is not None
    assert best.attention.shape == (len(best.target_pieces), 4)
    torch.testing.assert_close(
        best.attention.sum(1), torch.ones(len(best.target_pieces)), check_dtype=False
    )
    assert alone("abcd")[0].attention is None


def test_the_mode_of_the_model_stays() -> None:
    transducer = untrained(dropout=0.9)
    for training in (True, False):
        transducer.model.train(training)
        transducer.predict(["ab"])
        transducer.score([("ab", "A")])
        assert transducer.model.training is training


def test_no_text_no_prediction() -> None:
    assert TRANSDUCER.predict([]) == []
    assert TRANSDUCER.score([]) == []


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda t: t.predict(["a", ""]),
            DataError,
            "text 1 is '', which holds no symbols; leave it out.",
        ),
        (
            lambda t: t.predict("ab"),
            TypeError,
            "texts is the string 'ab'; give a list of strings.",
        ),
        (
            lambda t: t.predict(["a"], beam_size=0),
            ValueError,
            "beam_size is 0; it must be a whole number from 1 to",
        ),
        (lambda t: t.predict(["a"], beam_size=2, n_best=3), ValueError, "n_best is 3"),
        (
            lambda t: t.score([("a", "A"), ("", "A")]),
            DataError,
            "the source of pair 1 is empty; leave the pair out.",
        ),
        (
            lambda t: t.predict(["a", None]),
            TypeError,
            "text 1 is None, which is no string; give strings.",
        ),
        (
            lambda t: t.score(("ab", "AB")),
            TypeError,
            "pair 0 is 'ab'; give a source and a target, two strings, for each.",
        ),
        (lambda t: t.score([("a", "A"), ("a", "A", "A")]), TypeError, "pair 1 is ('a', 'A', 'A');"),
        (lambda t: t.score([("a", 1)]), TypeError, "pair 0 is ('a', 1);"),
        (lambda t: t.score([3]), TypeError, "pair 0 is 3;"),
    ],
    ids=[
        *("empty", "string", "beam", "n_best", "empty source", "no text", "one pair", "three"),
        *("no target", "no pair"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_refusals(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        call(TRANSDUCER)
    assert str(caught.value).startswith(message)


def test_the_class_is_what_the_function_gives(tmp_path: Any) -> None:
    TRANSDUCER.save_pretrained(tmp_path / "model")
    loaded = Transducer.from_pretrained(tmp_path / "model")
    assert loaded.predict(["abc"])[0][0].text == alone("abc")[0].text


def test_the_text_for_which_nothing_is_found_is_named_by_its_place() -> None:
    """Texts are decoded by their lengths, and so not in their order."""
    transducer = untrained()
    (e,) = transducer.source_symbols.encode("e")
    with torch.no_grad():
        transducer.model.encoder.embedding.weight[e] = torch.nan
    with pytest.raises(ModelError, match=r"^no target was found for source 2: the mod"):
        transducer.predict(["a", "abc", "e", "abcdabcd"])
