"""One training run at a time in a directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import TrainingError

try:
    import fcntl
except ImportError:  # Windows has no such lock, and there nothing is locked
    fcntl = None  # type: ignore[assignment]


@contextmanager
def directory_lock(directory: Path) -> Iterator[None]:
    """Hold a directory for this run; the system lets go of it when the process ends, killed or not.

    Args:
        directory: made where it is missing. Nothing is written into it.

    Raises:
        TrainingError: another run holds it.
    """
    if fcntl is None:
        yield
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        yield  # what cannot be made or opened, whoever writes into it says in its own words
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"another run is training into {directory}; wait until it is over, or train into "
                "another directory."
            ) from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)
