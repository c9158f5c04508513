"""What started the decoder: the bridge's map from encoder states to decoder states."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BridgePart:
    """The lines a bridge prints of itself, one for each initial state of the decoder."""

    lines: tuple[str, ...]
