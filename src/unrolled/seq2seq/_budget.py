"""When training ends."""

from dataclasses import dataclass

from ._progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a training run may use; it ends with whatever is used up first.

    Attributes:
        max_epochs: passes over the training pairs.
        max_steps: optimizer steps; unlimited when absent.
        max_minutes: of training, all resumptions together; unlimited when absent.
        patience: epochs without a better score; unlimited when absent.

    Raises:
        ValueError: a limit is not above 0; names every one.
    """

    max_epochs: int = 20
    max_steps: int | None = None
    max_minutes: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        limits = {
            "max_epochs": self.max_epochs,
            "max_steps": self.max_steps,
            "max_minutes": self.max_minutes,
            "patience": self.patience,
        }
        faults = [f"{name} is {n}" for name, n in limits.items() if n is not None and not n > 0]
        if faults:
            raise ValueError(f"{', '.join(faults)}; limits of training must be above 0.")

    def used(self, progress: Progress, batches_per_epoch: int) -> float:
        """How much of it is used up, from 0 to 1, by the limit that is nearest.

        Patience is left out, since nobody knows when it will begin to wear.

        Args:
            progress: where the run stands.
            batches_per_epoch: of the training data.
        """
        shares = [(progress.epoch + progress.position / batches_per_epoch) / self.max_epochs]
        if self.max_steps is not None:
            shares.append(progress.step / self.max_steps)
        if self.max_minutes is not None:
            shares.append(progress.seconds / (60 * self.max_minutes))
        return min(1.0, max(shares))

    def is_over(self, progress: Progress, batches_per_epoch: int) -> bool:
        """Whether training ends here.

        Args:
            progress: where the run stands.
            batches_per_epoch: of the training data.
        """
        tired = self.patience is not None and progress.bad_epochs >= self.patience
        return tired or self.used(progress, batches_per_epoch) >= 1
