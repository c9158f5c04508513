"""Being asked to stop."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Takes over Ctrl-C and SIGTERM, so that a step is never left half done.

    Args:
        first: called at the first request.
        again: called at every later one; may raise to stop at once.

    Attributes:
        was_made: whether there was a request.
    """

    def __init__(self, first: Callable[[], None], again: Callable[[], None]) -> None:
        self.was_made = False
        self._first = first
        self._again = again
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Take the signals over, also from who took them in between; `leave` gives the first back.

        Does nothing outside the main thread, which alone gets signals.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before.setdefault(number, signal.signal(number, self._hear))

    def leave(self) -> None:
        """Give them back; does nothing the second time."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.was_made:
            self._again()
        else:
            self.was_made = True
            self._first()
