"""A NumPy array file written piece by piece, and read as a memory map."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[tuple[int], np.dtype[Any]]

_BLOCK = 1 << 18  # bytes


class ArrayFile:
    """Writes a one-dimensional `.npy` file whose length is not known before its end.

    Args:
        path: file to write.
        dtype: type of its numbers.

    Attributes:
        length: numbers written so far.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.length = 0
        self._dtype = dtype
        self._file = path.open("wb")
        self._write_header()

    def append(self, values: Array) -> None:
        """Write numbers after those that are there.

        Args:
            values: numbers that fit the type of the file.
        """
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)
        self.length += len(values)

    def complete(self) -> None:
        """Write how many numbers there are, and close the file."""
        with self._file:
            self._file.seek(0)
            self._write_header()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()

    def _write_header(self) -> None:
        # NumPy leaves room in a header for the first axis to grow, so it can be written over.
        layout = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.length,),
        }
        np.lib.format.write_array_header_1_0(self._file, layout)


def open_array(path: Path) -> "np.memmap[tuple[int], np.dtype[Any]]":
    """The array of a file, in the file: a page of it is read when it is used.

    Args:
        path: file written by `ArrayFile`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no array, or shorter than it says.
    """
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap) or array.ndim != 1:
        raise ValueError(f"{path} is no one-dimensional array")
    return array


def checksum(path: Path) -> int:
    """The CRC-32 of a file, read block by block.

    Args:
        path: file to read.

    Raises:
        OSError: the file cannot be read.
    """
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc
