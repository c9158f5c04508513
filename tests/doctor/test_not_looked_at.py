"""A model that could not be run is not called sound."""

import pytest
import torch
from torch import Tensor, nn

from unrolled import diagnose
from unrolled.testing import assert_states_sound


class Raising(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no such table")


def test_a_model_that_raises_is_not_ok() -> None:
    report = diagnose(Raising(), torch.randn(3, 6, 4))
    assert not report.ok
    assert not report.has_looked
    text = " ".join(str(report).split())
    assert text.startswith("Raising: could not be looked at ")
    assert text.count("no such table") == 1  # one reason, said once
    with pytest.raises(AssertionError, match="could not be looked at"):
        assert_states_sound(Raising(), torch.randn(3, 6, 4))


def test_one_check_that_needs_no_run_is_enough_where_it_alone_is_asked_for() -> None:
    assert diagnose(Raising(), torch.randn(3, 6, 4), checks=["M27"]).ok
