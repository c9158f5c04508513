"""Time that is over: of a check, of the whole diagnosis, and of a model that does not come back."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class OutOfTime(BaseException):
    """The time for a check is over. Not an `Exception`, so that no model swallows it."""


class Clock:
    """The time that a diagnosis may take.

    Args:
        per_check: seconds for each check, and for the first runs of the model.
        in_all: seconds for all of them together.
    """

    def __init__(self, per_check: float, in_all: float) -> None:
        self.per_check = per_check
        self.in_all = in_all
        self.begun = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self.begun + self.in_all

    @property
    def passed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self.begun

    def deadline(self) -> float:
        """When a check that begins now is to end, by `time.monotonic`."""
        return min(time.monotonic() + self.per_check, self.begun + self.in_all)

    def why_left(self) -> str:
        """The reason for a check that ran into the limit, or was not begun any more."""
        if self.over:
            return (
                f"the {self.in_all:g} seconds for the whole diagnosis were over; give smaller "
                "examples, fewer checks or a larger seconds_in_all."
            )
        return (
            f"it took longer than {self.per_check:g} seconds; give smaller examples or a larger "
            "seconds_per_check."
        )


@contextmanager
def left_at(deadline: float) -> Iterator[None]:
    """Leaves what runs inside by `OutOfTime` once a time is past.

    A model may run in circles without calling PyTorch. The exception is put into its thread from
    another one, and comes as soon as the thread runs Python again; one call into C that does not
    return is waited for.

    Args:
        deadline: by `time.monotonic`.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    leave = ctypes.pythonapi.PyThreadState_SetAsyncExc
    lock, done = threading.Lock(), False

    def put() -> None:
        with lock:
            if not done:
                leave(thread, ctypes.py_object(OutOfTime))

    seconds = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
    timer = threading.Timer(seconds, put)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            done = True
            leave(thread, None)  # put in, perhaps, but not come yet
        timer.cancel()
