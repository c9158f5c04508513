"""For test suites: a model whose states are misread fails a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def assert_states_sound(
    module: nn.Module,
    *example_inputs: Any,
    lengths: Any = None,
    batch_dim: int | None = None,
    time_dim: int | None = None,
    target: Any = None,
    keywords: Mapping[str, Any] | None = None,
    checks: Iterable[str] | None = None,
    seconds_per_check: float = 10.0,
    seconds_in_all: float = 60.0,
) -> None:
    """Fail where the doctor finds an error or a warning in a model.

    Args:
        module: as in `unrolled.diagnose`, and so the others.
        example_inputs: what it is called with.
        lengths: real steps of each sample, where no argument says them.
        batch_dim: the dimension of the batch in sequences.
        time_dim: the dimension of time in sequences.
        target: what the model should give.
        keywords: arguments by keyword.
        checks: codes to look for; all when absent.
        seconds_per_check: a check that takes longer is left.
        seconds_in_all: when they are over, what was not looked for is left out.

    Raises:
        AssertionError: something was found; the text is the report's.
        UsageError: an argument is not of its kind.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test, not this file
    from .doctor import diagnose

    report = diagnose(
        module,
        *example_inputs,
        lengths=lengths,
        batch_dim=batch_dim,
        time_dim=time_dim,
        target=target,
        keywords=keywords,
        checks=checks,
        seconds_per_check=seconds_per_check,
        seconds_in_all=seconds_in_all,
    )
    if not report.ok:
        raise AssertionError(str(report))
