"""The lines of a text file, plain or gz, as a stream."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

from ..errors import DataError

LONGEST_LINE = 10_000_000  # bytes; beyond it a file is no text, and reading on would fill memory

_BLOCK = 1 << 18  # bytes; lines are decoded a block at a time, which is much faster than one by one
_MARK = b"\xef\xbb\xbf"


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    r"""The lines of a file in UTF-8 with their numbers, 1 first; none is held for long.

    A file that ends in `.gz` is unpacked on the way. A byte order mark and the line ends, `\n` or
    `\r\n`, are left out.

    Args:
        path: the file.

    Raises:
        DataError: the file is missing, a directory, damaged or no UTF-8; names file and line.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file.")
    number = 0
    try:
        with _opened(path) as file:
            for block in _whole_lines(path, file):
                for text in _texts(path, number, block):
                    number += 1
                    yield number, text
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path.") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{path} is damaged: it cannot be unpacked beyond line {number} ({error}); fetch or "
            "pack it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _opened(path: Path) -> BufferedIOBase:
    if path.suffix == ".gz":
        return gzip.GzipFile(path, "rb")
    return path.open("rb")


def _whole_lines(path: Path, file: BufferedIOBase) -> Iterator[bytes]:
    """Blocks of a file, each ending where a line does; without the byte order mark."""
    lines, rest = 0, b""
    mark = _MARK
    while block := file.read1(_BLOCK):
        rest += block
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end].removeprefix(mark)
            lines += rest.count(b"\n", 0, end)
            rest, mark = rest[end:], b""
        if len(rest) > LONGEST_LINE:
            raise DataError(
                f"{path}:{lines + 1}: the line has more than {LONGEST_LINE:,} bytes; is this a "
                "text file with a pair on each line?"
            )
    if rest := rest.removeprefix(mark):
        yield rest


def _texts(path: Path, before: int, block: bytes) -> Iterable[str]:
    """The lines of a block, of which `before` lines come before."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return _texts_until_fault(path, before, block)
    if "\0" in text:
        return _texts_until_fault(path, before, block)
    texts = text.removesuffix("\n").split("\n")
    return [text.removesuffix("\r") for text in texts] if "\r" in text else texts


def _texts_until_fault(path: Path, before: int, block: bytes) -> Iterator[str]:
    """The lines before the one at fault, so that faults in those are found first."""
    for number, raw in enumerate(block.removesuffix(b"\n").split(b"\n"), before + 1):
        yield _text(path, number, raw).removesuffix("\r")


def _text(path: Path, number: int, raw: bytes) -> str:
    try:
        text = raw.decode()
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
    return text
