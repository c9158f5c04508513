"""All tasks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import UsageError
from ._g2p import G2P
from ._task import Task

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (G2P,)})


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: When there is none; the message lists those there are.
    """
    try:
        return TASKS[name]
    except KeyError:
        raise UsageError(f"there is no task {name!r}; the tasks are: {', '.join(TASKS)}") from None
