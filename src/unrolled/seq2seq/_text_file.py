"""The lines of a text file, plain or gz, as a stream."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ..errors import DataError

LONGEST_LINE = 10_000_000  # bytes; beyond it a file is no text, and reading on would fill memory


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""The lines of a file in UTF-8 with their numbers, 1 first; none is held.

    A file that ends in `.gz` is unpacked on the way. A byte order mark and the line ends, `\n` or
    `\r\n`, are left out.

    Args:
        path: the file.

    Raises:
        DataError: the file is missing, a directory, damaged or no UTF-8; names file and line.
    """
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file.")
    number = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(LONGEST_LINE):
                number += 1
                if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                    raise DataError(
                        f"{path}:{number}: the line has more than {LONGEST_LINE:,} bytes; is this "
                        "a text file with a pair on each line?"
                    )
                yield number, _text(path, number, raw)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path.") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{path} is damaged: it cannot be unpacked beyond line {number} ({error}); fetch or "
            "pack it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def _text(path: Path, number: int, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{path} is UTF-16; convert it to UTF-8.") from error
        raise DataError(
            f"{path}:{number}: byte {error.start + 1} of the line, 0x{raw[error.start]:02x}, is "
            "not UTF-8; convert the file to UTF-8 or mend the line."
        ) from error
    if "\0" in text:
        raise DataError(
            f"{path}:{number}: character {text.index(chr(0)) + 1} of the line is NUL; this is no "
            "text in UTF-8, so convert the file or mend the line."
        )
    return text.removesuffix("\n").removesuffix("\r")
