"""The log of a training run, as a table and for TensorBoard."""

import csv
import math
import os
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from ..errors import TrainingError

_COLUMNS = (
    "step",
    "epoch",
    "train_loss",
    "learning_rate",
    "dev_wer",
    "dev_ser",
    "dev_loss",
    "seconds",
)


class TrainingLog:
    """Writes measurements of a run to `metrics.csv` and to TensorBoard's event files.

    A line is in its file when `write` returns. (Lightning's CSV logger keeps lines for the end,
    which `kill -9` takes with it; tensorboardX's own writer hands them to a thread, which a full
    disk ends without a word.)

    Args:
        folder: where to write.
        resumed_at: step of the checkpoint that is gone on from; later lines are taken back. A new
            run replaces the log of an older one.

    Raises:
        TrainingError: it cannot be written.
    """

    def __init__(self, folder: Path, resumed_at: int | None = None) -> None:
        self.folder = folder
        self._table = folder / "metrics.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resumed_at is None:
                for file in folder.glob("events.out.tfevents.*"):
                    file.unlink()
            self._begin_table(resumed_at)
            self._events = EventsWriter(str(folder / "events"), f".{resumed_at or 0}.{os.getpid()}")
            if resumed_at is not None:
                start = SessionLog(status=SessionLog.START)
                self._events.write_event(
                    Event(wall_time=time.time(), step=resumed_at + 1, session_log=start)
                )
            self._events.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, step: int, **values: float) -> None:
        """Add a line.

        Args:
            step: optimizer steps done.
            values: some of epoch, train_loss, learning_rate, dev_wer, dev_ser, dev_loss and
                seconds.

        Raises:
            TrainingError: it cannot be written.
        """
        try:
            with self._table.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, _COLUMNS).writerow({"step": step, **values})
            for name, value in values.items():
                if math.isfinite(value):
                    self._events.write_event(
                        Event(wall_time=time.time(), step=step, summary=scalar(name, value))
                    )
            self._events.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Let the files go."""
        self._events.close()

    def _begin_table(self, resumed_at: int | None) -> None:
        rows: list[dict[str, str]] = []
        if resumed_at is not None and self._table.exists():
            with self._table.open(encoding="utf-8", newline="") as file:
                # A line that was being written when the process was killed is no line.
                rows = [row for row in csv.DictReader(file) if None not in row.values()]
        new = self._table.with_name(f".{self._table.name}.{os.getpid()}")
        try:
            with new.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
                writer.writeheader()
                writer.writerows(row for row in rows if int(row["step"]) <= (resumed_at or 0))
            new.replace(self._table)
        finally:
            new.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> TrainingError:
        return TrainingError(
            f"the log cannot be written to {self.folder} ({error.strerror or error}); the last "
            "checkpoint and model are untouched. Free space and go on with resume."
        )
