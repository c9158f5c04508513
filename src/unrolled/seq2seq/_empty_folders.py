"""Nothing is left behind where nothing was done."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def empty_folders_removed(folder: Path) -> Iterator[None]:
    """Remove a folder and its parents at the end, those that are new by then and empty.

    Args:
        folder: the innermost; it may exist or not.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in missing:
            with suppress(OSError):  # it was never made, or something is in it
                path.rmdir()
