"""The options of the search for the best target."""

from __future__ import annotations

from jsonargparse import Namespace

from ..errors import UsageError
from ._parser import CommandParser
from ._values import real, whole


def add_search_options(
    parser: CommandParser, *, beam_size: int = 1, n_best: int | None = None
) -> None:
    """Add the group "search" with these defaults; ``n_best`` only where it is given."""
    group = parser.add_argument_group("search")
    group.add_argument(
        "--beam_size",
        type=whole(1),
        metavar="N",
        default=beam_size,
        help="hypotheses kept at each step; 1 is greedy",
    )
    if n_best is not None:
        group.add_argument(
            "--n_best",
            type=whole(1),
            metavar="N",
            default=n_best,
            help="predictions for each text, at most --beam_size",
        )
    group.add_argument(
        "--length_penalty",
        type=real(minimum=0, maximum=5),
        metavar="ALPHA",
        default=0.0,
        help="0 compares plain log-probabilities; more favours longer targets",
    )


def check_beam(options: Namespace) -> None:
    """Refuse more predictions than the beam holds.

    Raises:
        UsageError: There are more; names the beam size that would do.
    """
    if options.n_best > options.beam_size:
        raise UsageError(
            f"--n_best {options.n_best} is more than --beam_size {options.beam_size} keeps; "
            f"give --beam_size {options.n_best} or more"
        )
