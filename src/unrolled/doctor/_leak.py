"""A result that padding moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Leak:
    """A result that padding moves."""

    code: str
    module: str
    text: str
    sample: int
    step: int
