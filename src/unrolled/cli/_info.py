"""``unrolled info``: what is installed, which engine computes, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._parser import CommandParser


def info_parser() -> CommandParser:
    """The options of ``unrolled info``."""
    from ._parser import CommandParser

    parser = CommandParser(
        "info",
        usage="[--json]",
        description="Show versions, engines and instruction sets, and why each was chosen.",
        examples="  unrolled info\n  unrolled info --json",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Print the facts about this installation."""
    # Plain use needs no option parser: an installation without one can still say what is missing.
    plain = set(arguments) <= {"--json"}
    as_json = bool(arguments) if plain else info_parser().parse(arguments).json
    from .. import info

    facts = info()
    print(json.dumps(facts.to_json(), indent=2) if as_json else facts)
    return 0
