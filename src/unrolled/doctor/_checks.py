"""All checks, by code."""

from __future__ import annotations

from . import (
    _axis_checks,
    _convention_check,
    _decoder_checks,
    _final_state_checks,
    _history_checks,
    _padding_checks,
)
from ._check import Check

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *_final_state_checks.CHECKS,
            *_axis_checks.CHECKS,
            *_padding_checks.CHECKS,
            *_decoder_checks.CHECKS,
            *_history_checks.CHECKS,
            *_convention_check.CHECKS,
        ),
        key=lambda check: check.code,
    )
)
