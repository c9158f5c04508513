"""A task: where its pairs come from, and the settings that train a good model on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ._parts import Parts

Setting = str | int | float | bool | None


@dataclass(frozen=True)
class Task:
    """A ready recipe: it writes train, dev and test TSVs and brings settings that fit them.

    Attributes:
        name: What stands after ``--task``.
        summary: One line for ``unrolled fit --help``.
        write_parts: Writes the three TSVs into a folder and says where they are. Writing twice
            gives the same bytes, and files that are already right are left untouched.
        settings: Options of ``unrolled fit`` by name; whatever is absent keeps the default of
            the command, and whatever the user gives goes before both.
    """

    name: str
    summary: str
    write_parts: Callable[[Path], Parts]
    settings: Mapping[str, Setting]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
