"""Arguments of `diagnose` that are not of their kind, or do not fit the examples."""

from typing import Any

import numpy as np
import pytest
import torch
from any_model import AnyModel
from torch import nn

from unrolled import diagnose
from unrolled.errors import UsageError

X = torch.randn(4, 7, 3)


@pytest.mark.parametrize(
    ("hints", "said"),
    [
        ({"batch_dim": 9}, r"batch_dim is 9, but the examples have the shapes \(4, 7, 3\)"),
        ({"time_dim": 3}, "time_dim is 3, but the examples have the shapes"),
        ({"batch_dim": "x"}, "batch_dim is 'x'; give the number of a dimension, 0 for the first"),
        ({"batch_dim": True}, "batch_dim is True; give the number of a dimension"),
        ({"time_dim": -2}, "time_dim is -2; give the number of a dimension"),
        ({"batch_dim": 1, "time_dim": 1}, "batch_dim and time_dim are both 1; samples and steps"),
        ({"keywords": [1]}, r"keywords is \[1\]; give a dict of arguments by their name"),
        ({"keywords": {1: 2}}, "keywords has the key 1; its keys are names of arguments"),
        ({"target": "x"}, "target is 'x'; give a tensor: the symbols that come next"),
        ({"target": torch.randn(3)}, r"target has the shape \(3,\), but the model gives \(4, 7, 2"),
        (
            {"target": torch.ones(2, 7).long()},
            r"target has the shape \(2, 7\), but the model gives",
        ),
        ({"checks": []}, "checks is empty; name a code, such as M01, or leave checks out"),
        ({"checks": 5}, "checks is 5; give codes"),
        ({"checks": [None]}, "no check has the code None"),
        ({"seconds_in_all": -1}, "seconds_in_all is -1; it must be a number above 0"),
        ({"seconds_per_check": float("nan")}, "seconds_per_check is nan; it must be a number"),
        ({"batch_dim": torch.ones(3, 3)}, "batch_dim is a Tensor; give the number"),
        ({"checks": [["M01"]]}, "no check has the code"),
        ({"lengths": 7}, "lengths is 7; give one whole number for each sample"),
    ],
)
def test_hints(hints: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        diagnose(AnyModel(), X, **hints)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            [X.numpy()],
            r"the input is a NumPy array; diagnose takes tensors, so give torch.from_nump",
        ),
        ([X, {"y": np.ones(3)}], "input 1 is a NumPy array"),
        (["abc"], "the input is 'abc', and no input is a tensor; give what the model is"),
        ([None], "the input is None, and no input is a tensor"),
        ([[1.0, 2.0]], r"the input is \[1.0, 2.0\], and no input is a tensor"),
        ([object(), (None, {})], "input 0 is an object, and no input is a tensor"),
        ([X.to("meta")], "the input is on the meta device and holds no numbers"),
        ([X[:0]], r"has the shape \(0, 7, 3\), in which there is no sample; give three samples"),
        ([X[:, :0]], r"has the shape \(4, 0, 3\), in which there is no step; give three samples"),
        ([torch.ones(0, 7).long()], r"has the shape \(0, 7\), in which there is no sample"),
    ],
)
def test_examples(inputs: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        diagnose(AnyModel(), *inputs)


class Helped(nn.Module):
    """Takes lengths as an array, and things that are no sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor, lengths: np.ndarray, *rest: object) -> torch.Tensor:
        output, _ = self.layer(x)
        return output[range(len(x)), lengths - 1]


def test_what_is_beside_the_tensors_may_be_anything() -> None:
    empty = torch.zeros(2, 2).to_sparse()
    report = diagnose(Helped(), X, np.array([7, 5, 3, 2]), "mode", None, empty, torch.zeros(0))
    assert report.ok
    assert "M10" in report.checks_run


def test_one_code_may_stand_alone() -> None:
    assert diagnose(AnyModel(), X, checks="M01").checks_run == ("M01",)


@pytest.mark.parametrize("shape", [(4, 7, 2), (4, 7), (4, 6), (7, 4), (28,)])
def test_a_target_that_fits_is_taken(shape: tuple[int, ...]) -> None:
    floats = len(shape) == 3
    target = torch.randn(shape) if floats else torch.ones(shape, dtype=torch.long)
    model = nn.Sequential(nn.Embedding(9, 3), AnyModel())
    if shape == (28,):
        model.append(nn.Flatten(0, 1))
    assert diagnose(model, torch.randint(1, 9, (4, 7)), target=target).has_looked
