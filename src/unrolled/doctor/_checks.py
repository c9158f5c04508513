"""All checks, by code."""

from __future__ import annotations

from . import (
    _attention_checks,
    _convention_check,
    _decoder_checks,
    _final_state_checks,
    _history_checks,
    _input_axis_checks,
    _order_checks,
    _packing_checks,
    _padding_checks,
    _viewed_state_checks,
)
from ._check import Check

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *_attention_checks.CHECKS,
            *_convention_check.CHECKS,
            *_decoder_checks.CHECKS,
            *_final_state_checks.CHECKS,
            *_history_checks.CHECKS,
            *_input_axis_checks.CHECKS,
            *_order_checks.CHECKS,
            *_packing_checks.CHECKS,
            *_padding_checks.CHECKS,
            *_viewed_state_checks.CHECKS,
        ),
        key=lambda check: check.code,
    )
)
