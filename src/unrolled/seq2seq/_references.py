"""What held-out sources may be turned into."""

from collections.abc import Mapping
from pathlib import Path

from ._pairs import Columns, read_pairs


def read_references(
    path: str | Path, columns: Columns | None = None
) -> Mapping[str, tuple[str, ...]]:
    """The references of each source of a TSV; a source on several lines has several.

    Args:
        path: the TSV.
        columns: where source and target stand.

    Returns:
        Sources and references in the order of the file, each reference once.

    Raises:
        DataError: the file cannot be read; see `read_pairs`.
    """
    found: dict[str, dict[str, None]] = {}
    for pair in read_pairs(path, columns):
        found.setdefault(pair.source, {})[pair.target] = None
    return {source: tuple(targets) for source, targets in found.items()}
