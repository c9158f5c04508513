"""Which methods of a model the doctor calls to begin anew, and which it leaves alone."""

import pytest
import torch
from torch import Tensor, nn

from unrolled import diagnose


class Carrying(nn.Module):
    """Keeps its state from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 5, batch_first=True)
        self.state: Tensor | None = None
        self.called: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        output, h_n = self.rnn(x, self.state)
        self.state = h_n.detach()
        result: Tensor = output
        return result


class WithoutArguments(Carrying):
    def reset(self) -> None:
        self.state = None


class InHumps(Carrying):
    def resetHiddenState(self) -> None:  # noqa: N802  (as some write it)
        self.state = None


class OfBatch(Carrying):
    def init_hidden(self, batch_size: int) -> None:
        self.state = torch.zeros(1, batch_size, 5)


class OfBatchAndDevice(Carrying):
    def reset_states(self, n: int, *, device: torch.device, dtype: torch.dtype) -> None:
        self.state = torch.zeros(1, n, 5, device=device, dtype=dtype)


class ByFlag(Carrying):
    def forward(self, x: Tensor, reset_state: bool = False) -> Tensor:
        if reset_state:
            self.state = None
        return super().forward(x)


class OfAPart(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = WithoutArguments()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.inner(x)
        return result


@pytest.mark.parametrize(
    "kind", [WithoutArguments, InHumps, OfBatch, OfBatchAndDevice, OfAPart, ByFlag]
)
def test_a_model_that_can_begin_anew_is_sound(kind: type[nn.Module]) -> None:
    assert diagnose(kind(), torch.randn(4, 6, 3), checks=["M20"]).ok


LOG: list[str] = []


class Logging(Carrying):
    """Methods that sound like it and are something else."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"head": nn.Linear(5, 2)})

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.parts["head"](super().forward(x))
        return result

    def reset_logs(self) -> None:
        LOG.append("reset_logs")

    def reset_parameters(self) -> None:
        LOG.append("reset_parameters")

    def clear_cache(self) -> None:
        LOG.append("clear_cache")

    def init_weights(self) -> None:
        LOG.append("init_weights")

    def reset_state_from(self, path: str, name: str) -> None:
        LOG.append("reset_state_from")


def test_nothing_else_is_called() -> None:
    report = diagnose(Logging(), torch.randn(4, 6, 3))
    assert LOG == []
    assert [finding.code for finding in report.findings] == ["M20"]
    assert not [check for check in report.not_run if "it met" in check.why]
