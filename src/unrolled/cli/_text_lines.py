"""Lines of text to predict, read from a file or a pipe while predictions are made."""

from __future__ import annotations

import gzip
import queue
import threading
from collections.abc import Iterable, Iterator

from unrolled.errors import DataError

Line = tuple[int, str]


def read_lines(path: str) -> Iterator[Line]:
    """Give (line number from 1, text without the line ending) of a file, ``-`` for standard input.

    Files ending in ``.gz`` are unpacked on the way.

    Raises:
        DataError: With file and line, where the bytes are not UTF-8.
    """
    if path == "-":
        # Not sys.stdin: its lock, held by a thread that still reads, breaks the exit of Python.
        with open(0, "rb", closefd=False) as pipe:
            yield from _decode(pipe, "standard input")
    elif path.endswith(".gz"):
        try:
            with gzip.open(path) as compressed:
                yield from _decode(compressed, path)
        except (gzip.BadGzipFile, EOFError) as fault:
            raise DataError(
                f"{path}: {fault}; unpack it yourself, or take .gz off its name if it is plain text"
            ) from None
    else:
        with open(path, "rb") as plain:
            yield from _decode(plain, path)


def _decode(lines: Iterable[bytes], name: str) -> Iterator[Line]:
    for number, raw in enumerate(lines, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as fault:
            raise DataError(
                f"{name}:{number}: byte {fault.start + 1} is not valid UTF-8; save the text as "
                f"UTF-8, for example with: iconv -f latin1 -t utf-8"
            ) from None
        yield number, line


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
