"""Which exceptions are for the user to mend, and the sentence that tells how."""

from __future__ import annotations

import errno
import unicodedata

from .._extras import how_to_install
from ..errors import UnrolledError

_OF_THE_FILE_SYSTEM = frozenset(
    (
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    )
)

# Variables of the environment; what is wrong with one is raised where the value is first needed.
_VARIABLES = ("UNROLLED_ENGINE ", "UNROLLED_ISA ")

# How Unicode calls the characters that turn the direction of the text around them.
_TURNING = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))

# Packages that extras bring.
_OF_EXTRAS = frozenset(("jaxtyping", "lightning", "rapidfuzz", "rich", "tensorboardX", "torch"))


def explain_failure(failure: Exception, extra: str) -> str | None:
    """One sentence for a fault the user can mend; None for a defect, which keeps its traceback.

    Args:
        failure: what went wrong.
        extra: the extra that brings all that the command needs.
    """
    if isinstance(failure, UnrolledError):
        return _visible(" ".join(str(failure).split()))
    if isinstance(failure, ModuleNotFoundError) and failure.name is not None:
        package = failure.name.partition(".")[0]
        if package in _OF_EXTRAS:
            return f"this needs {package}, which is not installed; {how_to_install(extra)}"
    if isinstance(failure, ValueError) and str(failure).startswith(_VARIABLES):
        return str(failure)
    if isinstance(failure, OSError) and failure.errno in _OF_THE_FILE_SYSTEM:
        reason = (failure.strerror or str(failure)).lower()
        where = f"{failure.filename}: " if failure.filename else ""
        return f"{where}{reason}"
    return None


def _visible(text: str) -> str:
    """The text with control characters, which could disturb a terminal, spelled out."""
    return "".join(
        f"U+{ord(one):04X}"
        if unicodedata.category(one) == "Cc" or unicodedata.bidirectional(one) in _TURNING
        else one
        for one in text
    )
