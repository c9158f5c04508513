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
        best_score: best development score so far, lower is better; `None` before the first.
        bad_epochs: epochs since it was reached.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    seconds: float = 0.0
    best_score: float | None = None
    bad_epochs: int = 0

    def done(self, *, batches: int, max_epochs: int, max_minutes: float | None) -> float:
        """How much of training is done, from 0 to 1, by epochs or by time, whichever is more.

        Args:
            batches: in an epoch.
            max_epochs: at which training ends.
            max_minutes: at which it ends, where time is limited.
        """
        by_epochs = (self.epoch + self.position / batches) / max_epochs
        by_time = 0.0 if max_minutes is None else self.seconds / (60 * max_minutes)
        return min(1.0, max(by_epochs, by_time))

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
