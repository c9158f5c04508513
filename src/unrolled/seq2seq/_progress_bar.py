"""The progress bar of training."""

from typing import Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ._lightning_module import TrainingModule


class ProgressBar(lightning.Callback):
    """A bar that fills as training nears its end, by epochs or by time.

    Args:
        console: where to draw; lines printed to it stand above the bar.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Draw the bar."""
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._task = self._bar.add_task("training", total=1.0, state="")
        self._bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar."""
        module: TrainingModule = pl_module
        if self._bar is not None and module.progress.step % 10 == 0:
            loss = float("nan") if module.last_loss is None else float(module.last_loss)
            state = f"epoch {module.progress.epoch + 1}  loss {loss:.3f}"
            self._bar.update(self._task, completed=module.done(), state=state)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Leave the bar as it stands."""
        self._stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException
    ) -> None:
        """Leave the bar as it stands."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
