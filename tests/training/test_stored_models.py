"""A model of each release keeps loading, and decodes what it decoded then."""

import json
from pathlib import Path

import pytest

from unrolled.seq2seq import Transducer

MODELS = sorted((Path(__file__).parents[1] / "models").iterdir())


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_a_stored_model_decodes_as_it_did(path: Path) -> None:
    expected = json.loads((path / "expected.json").read_text("utf-8"))
    model = Transducer.from_pretrained(path)
    found = model.predict(list(expected), beam_size=3, n_best=2)
    for predictions, stored in zip(found, expected.values(), strict=True):
        assert [prediction.text for prediction in predictions] == [text for text, _ in stored]
        for prediction, (_, log_probability) in zip(predictions, stored, strict=True):
            assert prediction.log_probability == pytest.approx(log_probability, abs=1e-3)
