"""Files of a directory that belong together."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_UNFINISHED = ".saving-"
_COMPLETE = ".saved"


class FileSet:
    """Files of a directory that are replaced all together or not at all.

    New files are written into a hidden folder beside the old ones and flushed; then the folder is
    renamed, and from that moment its files are the ones that count. Only then do they move to their
    places, one after the other: whatever stops the process, and whenever, `find` gives files of one
    and the same save. The other files of the directory are left alone.

    Args:
        directory: where the files are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, name: str) -> Path:
        """Where a file is to be read; it may be missing.

        Args:
            name: of the file.
        """
        newest = self.directory / _COMPLETE / name
        return newest if newest.exists() else self.directory / name

    @contextmanager
    def replacing(self) -> Iterator[Path]:
        """Give a folder to write new files into; they count once the block ends without a fault.

        Raises:
            OSError: a file cannot be written; the old ones count.
        """
        is_new = not self.directory.exists()
        unfinished = self.directory / f"{_UNFINISHED}{os.getpid()}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for leftover in self.directory.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(leftover)
            self._move_into_place()
            unfinished.mkdir()
            yield unfinished
            for file in unfinished.iterdir():
                flush(file)
            flush(unfinished)
            unfinished.rename(self.directory / _COMPLETE)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            if is_new:
                with suppress(OSError):
                    self.directory.rmdir()
            raise
        with suppress(OSError):  # they count already; what is not moved now is moved next time
            flush(self.directory)
            self._move_into_place()

    def _move_into_place(self) -> None:
        complete = self.directory / _COMPLETE
        if not complete.is_dir():
            return
        for file in complete.iterdir():
            file.replace(self.directory / file.name)
        flush(self.directory)
        complete.rmdir()


def flush(path: Path) -> None:
    """Have a file or folder written to the disk itself, so that it outlasts a power cut.

    Args:
        path: to flush.

    Raises:
        OSError: it cannot be.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
