"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str) -> None:
    """Write a text file; a fault on the way leaves what stood there untouched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(content, "utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
