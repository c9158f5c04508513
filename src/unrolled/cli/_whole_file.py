"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError


def write_whole(path: Path, content: str) -> None:
    """Write a text file; a fault on the way leaves what stood there untouched.

    A device, such as /dev/stdout, is written to as it is.

    Raises:
        UsageError: It cannot be written.
    """
    with _unfinished(path) as file:
        if is_device(path):
            path.write_text(content, "utf-8")
            return
        file.write_text(content, "utf-8")
        file.replace(path)


def check_place(path: Path) -> None:
    """Refuse a place that cannot be written before the work that is to fill it.

    Raises:
        UsageError: It cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory; give the name of a file")
    with _unfinished(path) as file:
        if not is_device(path):
            file.touch()


def is_device(path: Path) -> bool:
    """Whether it is a pipe, a terminal or the like, in whose place no file may be put.

    Args:
        path: that may be there or not.
    """
    return path.exists() and not path.is_file()


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as fault:
        reason = (fault.strerror or str(fault)).lower()
        raise UsageError(f"{path} cannot be written ({reason}); choose another place") from fault
