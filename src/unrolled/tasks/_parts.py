"""The three parts of a data set on disk, split by source so that no source is in two of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal, get_args

PartName = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the train, dev and test TSVs are."""

    train: Path
    dev: Path
    test: Path


def part_of(source: str, *, dev_share: float, test_share: float, salt: str) -> PartName:
    """Say which part a source belongs to; the same for ever, whatever else is in the data.

    The first 8 bytes of BLAKE2b over ``salt`` and ``source``, read as a fraction of one, are
    compared with the shares. So a source keeps its part when the data grows, and all its
    references go where it goes.

    Args:
        source: The text that must not be in two parts.
        dev_share: Fraction of the sources in dev, in [0, 1).
        test_share: Fraction of the sources in test, in [0, 1).
        salt: Another salt gives another, independent split.

    Raises:
        ValueError: When the shares leave nothing for train.
    """
    if dev_share < 0 or test_share < 0 or dev_share + test_share >= 1:
        raise ValueError(
            f"dev_share={dev_share} and test_share={test_share} leave nothing for train; "
            "give two fractions of at least 0 whose sum is below 1"
        )
    digest = blake2b(f"{salt}\n{source}".encode(), digest_size=8).digest()
    fraction = int.from_bytes(digest) / 2**64
    if fraction < test_share:
        return "test"
    if fraction < test_share + dev_share:
        return "dev"
    return "train"


def split_by_source(
    references: Mapping[str, Iterable[str]], *, dev_share: float, test_share: float, salt: str
) -> dict[PartName, list[tuple[str, str]]]:
    """Share out ``source -> targets`` into pairs for train, dev and test, in the given order."""
    parts: dict[PartName, list[tuple[str, str]]] = {name: [] for name in get_args(PartName)}
    for source, targets in references.items():
        part = part_of(source, dev_share=dev_share, test_share=test_share, salt=salt)
        parts[part].extend((source, target) for target in targets)
    return parts


def write_parts(
    folder: Path, pairs: Mapping[PartName, Iterable[tuple[str, str]]], *, about: str
) -> Parts:
    """Write ``train.tsv``, ``dev.tsv``, ``test.tsv`` and a ``README.md`` that says what they are.

    Each file appears whole or not at all, and one that already holds the right bytes keeps its
    time stamp, so that what was derived from it stays valid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[PartName, Path] = {}
    counts = ["| part | words | lines |", "|---|---:|---:|"]
    for name in get_args(PartName):
        paths[name] = folder / f"{name}.tsv"
        lines = [f"{source}\t{target}\n" for source, target in pairs[name]]
        _write_if_new(paths[name], "".join(lines))
        words = len({line.partition("\t")[0] for line in lines})
        counts.append(f"| {name}.tsv | {words:,} | {len(lines):,} |")
    _write_if_new(folder / "README.md", about.rstrip() + "\n\n" + "\n".join(counts) + "\n")
    return Parts(**paths)


def _write_if_new(path: Path, text: str) -> None:
    content = text.encode()
    if path.is_file() and path.read_bytes() == content:
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
