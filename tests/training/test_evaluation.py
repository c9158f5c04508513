"""Error rates, counted by hand."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
from untrained_model import untrained

from unrolled.seq2seq import Prediction, Scores, Transducer, evaluate


class Oracle(Transducer):
    """A transducer that says what it was told to."""

    def __init__(self, answers: dict[str, str]) -> None:
        made = untrained()
        super().__init__(made.model, made.architecture, made.source_symbols, made.target_symbols)
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def predict(self, texts: Sequence[str], **search: Any) -> list[list[Prediction]]:
        self.asked.append(tuple(texts))
        return [[Prediction(self.answers[text], 0.0, 0.0, (), ())] for text in texts]


def test_rates_as_counted_by_hand() -> None:
    # right; one substitution in 3; one insertion against 2; all 2 missing.
    oracle = Oracle({"a": "A B", "b": "A C C", "c": "A B E", "d": ""})
    references = {"a": ["A B"], "b": ["A B C"], "c": ["A B"], "d": ["D E"]}
    scores = evaluate(oracle, references)
    assert (scores.sources, scores.wrong, scores.edits, scores.reference_symbols) == (4, 3, 4, 9)
    assert scores.word_error_rate == 75
    assert scores.symbol_error_rate == pytest.approx(100 * 4 / 9)
    assert [mistake.source for mistake in scores.mistakes] == ["b", "c", "d"]
    assert str(scores) == ("WER 75.00 % (3 of 4 wrong)   PER 44.44 % (4 edits in 9 symbols)")
    assert json.loads(json.dumps(scores.to_json()))["word_error_rate"] == 75


def test_any_reference_makes_it_right_and_the_nearest_counts() -> None:
    oracle = Oracle({"a": "A B", "b": "A B"})
    references = {"a": ["C", "A B"], "b": ["E E E E", "A B C", "B"]}
    scores = evaluate(oracle, references)
    # "A B" is one edit from "A B C" and from "B"; where two tie, the shorter one counts.
    assert (scores.wrong, scores.edits, scores.reference_symbols) == (1, 1, 2 + 1)
    assert scores.mistakes[0].references == ("E E E E", "A B C", "B")


def test_symbols_are_compared_and_not_characters() -> None:
    oracle = Oracle({"a": "AA B"})
    assert evaluate(oracle, {"a": ["AB B"]}).edits == 1
    assert evaluate(oracle, {"a": ["AA   B "]}).wrong == 0, "separators in a row separate nothing"


def test_an_empty_reference_is_a_reference() -> None:
    nothing = evaluate(Oracle({"a": ""}), {"a": [""]})
    assert (nothing.word_error_rate, nothing.symbol_error_rate) == (0, 0)
    something = evaluate(Oracle({"a": "A"}), {"a": [""]})
    assert (something.word_error_rate, something.symbol_error_rate) == (100, 100)


def test_mistakes_kept_are_few_and_all_are_counted() -> None:
    answers = {str(number): "A" for number in range(50)}
    scores = evaluate(Oracle(answers), {source: ["B"] for source in answers}, max_mistakes=3)
    assert (len(scores.mistakes), scores.wrong) == (3, 50)


def test_progress_adds_up_and_no_target_is_shown() -> None:
    answers = {str(number): "A" for number in range(5000)}
    oracle, done = Oracle(answers), []
    evaluate(oracle, {source: ["A"] for source in answers}, progress=done.append)
    assert sum(done) == 5000
    assert len(done) > 1
    assert [text for part in oracle.asked for text in part] == list(answers)


def test_a_real_model_is_scored_on_what_it_predicts() -> None:
    transducer = untrained(seed=2, spread=0.7)
    texts = ["abc", "de", "eab"]
    said = {text: best.text for text, [best] in zip(texts, transducer.predict(texts), strict=True)}
    assert evaluate(transducer, {text: [said[text]] for text in texts}).wrong == 0
    scores = evaluate(transducer, {text: [said[text] + " A"] for text in texts})
    assert (scores.wrong, scores.edits) == (3, 3)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({}, "there are no references; give at least one source with its target."),
        ({"a": ["A"], "b": []}, "the source 'b' has no reference; give one or leave it out."),
    ],
)
def test_refusals(references: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        evaluate(untrained(), references)


@pytest.mark.usefixtures("as_users_call")
def test_one_string_is_no_list_of_references() -> None:
    message = "the references of 'a' are the string 'AB'; give a list of strings."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        evaluate(untrained(), {"a": "AB"})


def test_rates_are_finite_whatever_was_counted() -> None:
    for edits in (0, 7):
        assert math.isfinite(Scores(1, 1, edits, 0).symbol_error_rate)
