"""Lines of text to predict, read while predictions are made."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from ..errors import DataError

Line = tuple[int, str]


def standard_input() -> Iterator[Line]:
    """Give (line number from 1, text without the line ending) of standard input, as lines come.

    Raises:
        DataError: With the line, where the bytes are not UTF-8.
    """
    # Not sys.stdin: its lock, held by a thread that still reads, breaks the exit of Python.
    with open(0, "rb", closefd=False) as pipe:
        for number, raw in enumerate(pipe, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as fault:
                raise DataError(
                    f"standard input:{number}: byte {fault.start + 1} of the line, "
                    f"0x{raw[fault.start]:02x}, is not UTF-8; convert what is piped in, for "
                    "example with iconv"
                ) from None
            yield number, text.removesuffix("\n").removesuffix("\r")


def gather(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    """Group lines into lists of at most ``size``, never waiting for a line to fill one up.

    A thread reads ahead. Whoever writes lines into the pipe fast gets full batches; whoever
    writes one line and waits gets its answer at once.
    """
    arrived: queue.Queue[Line | BaseException | None] = queue.Queue(maxsize=4 * size)

    def read_ahead() -> None:
        end: BaseException | None = None
        try:
            for line in lines:
                arrived.put(line)
        except BaseException as fault:  # raised again where the lines are used
            end = fault
        arrived.put(end)

    threading.Thread(target=read_ahead, name="unrolled-read-ahead", daemon=True).start()
    while True:
        group: list[Line] = []
        item = arrived.get()
        while isinstance(item, tuple):
            group.append(item)
            if len(group) == size:
                break
            try:
                item = arrived.get_nowait()
            except queue.Empty:
                break
        if group:
            yield group
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
