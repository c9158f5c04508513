"""How far training has come, on a terminal."""

from pathlib import Path
from typing import Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.status import Status

from ._lightning_module import TrainingModule


class ProgressBar(lightning.Callback):
    """A bar that fills as training nears its end, by epochs or by time.

    Args:
        console: where to draw; lines printed to it stand above the bar.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._status: Status | None = None
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
            state = f"epoch {module.progress.epoch + 1}  loss {module.last_loss:.3f}"
            self._bar.update(self._task, completed=module.used, state=state)

    def scoring(self, done: int, total: int) -> None:
        """Say how far scoring has come.

        Args:
            done: development sources scored.
            total: all of them.
        """
        if self._bar is not None:
            self._bar.update(self._task, state=f"scoring the dev data, {done:,} of {total:,}")

    def reading(self, path: Path, pairs: int) -> None:
        """Say how far reading a file has come, before training.

        Args:
            path: the file.
            pairs: read so far.
        """
        if self._status is None:
            self._status = self.console.status("")
            self._status.start()
        self._status.update(f"reading {path}: {pairs:,} pairs")

    def done_reading(self) -> None:
        """Take the line of `reading` away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

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
