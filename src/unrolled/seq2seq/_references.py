"""The right answers for each source, where there can be several."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ._columns import Columns
from ._pairs import Pair, read_pairs


class References(Mapping[str, tuple[str, ...]]):
    """For each source text its targets, any of which is right.

    Sources and the targets of each keep the order of their first appearance; a target that a
    source has twice counts once.

    Args:
        pairs: sources and targets; a source may come several times.
    """

    def __init__(self, pairs: Iterable[Pair | tuple[str, str]]) -> None:
        targets: dict[str, dict[str, None]] = {}
        for source, target, *_ in pairs:
            targets.setdefault(source, {})[target] = None
        self._targets = {source: tuple(found) for source, found in targets.items()}

    def __getitem__(self, source: str) -> tuple[str, ...]:
        return self._targets[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        """How many different sources there are."""
        return len(self._targets)

    def __repr__(self) -> str:
        pairs = sum(map(len, self._targets.values()))
        return f"References({len(self)} sources, {pairs} targets)"


def read_references(path: str | Path, columns: Columns | None = None) -> References:
    """The references of a TSV file; a source on several lines has several.

    Args:
        path: as for `read_pairs`.
        columns: as for `read_pairs`.

    Raises:
        DataError: as for `read_pairs`.
    """
    return References(read_pairs(path, columns))
