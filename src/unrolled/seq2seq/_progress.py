"""Where a training run stands."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Progress:
    """Counters of a training run; all of them go into a checkpoint.

    Attributes:
        step: optimizer steps done.
        epoch: epochs done.
        position: batches done in this epoch.
        seconds: spent training, over all resumptions.
        loss_sum: losses of the steps since the last line of the log, added up.
        loss_steps: how many they are.
        best_score: best development score so far, lower is better; `None` before the first.
        bad_epochs: epochs since it was reached.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_score: float | None = None
    bad_epochs: int = 0

    def state_dict(self) -> dict[str, Any]:
        """The counters as plain values."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take counters over.

        Args:
            state: as `state_dict` gave it.
        """
        for name, value in state.items():
            setattr(self, name, value)
