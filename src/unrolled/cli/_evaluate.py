"""``unrolled evaluate``: decode the sources of a TSV freely and compare with its targets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ._column_options import add_column_options, columns_of
from ._parser import CommandParser
from ._search_options import add_search_options
from ._values import text, whole
from ._whole_file import check_place, write_whole

if TYPE_CHECKING:
    from ..seq2seq import Scores


def evaluate_parser() -> CommandParser:
    """The options of ``unrolled evaluate``."""
    parser = CommandParser(
        "evaluate",
        usage="MODEL TSV [options]",
        description="Score a model on a TSV. The model decodes on its own, it never sees a "
        "target. A source with several lines has several references; matching any of them is "
        "right.",
        examples="  unrolled evaluate runs/g2p data/g2p/test.tsv\n"
        "  unrolled evaluate runs/g2p data/g2p/test.tsv --beam_size 5 --json",
    )
    parser.add_argument("model", type=text, metavar="MODEL", help="directory of a trained model")
    parser.add_argument("data", type=text, metavar="TSV", help="sources and targets; also .gz")
    parser.add_config_options()
    add_column_options(parser)
    add_search_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--mistakes",
        type=whole(0),
        metavar="N",
        default=5,
        help="wrong predictions shown as examples",
    )
    output.add_argument("--json", action="store_true", help="print one JSON object")
    output.add_argument(
        "--save", type=text, metavar="FILE", help="write that JSON object to FILE as well"
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Evaluate, and print the scores."""
    options = evaluate_parser().parse(arguments)
    from ..seq2seq import Transducer, evaluate, read_references
    from ._progress_bar import progress_bar

    if options.save:
        check_place(Path(options.save))
    references = read_references(options.data, columns_of(options))
    transducer = Transducer.from_pretrained(options.model)
    started = time.monotonic()
    with progress_bar("decoding", total=len(references)) as advance:
        scores = evaluate(
            transducer,
            references,
            beam_size=options.beam_size,
            length_penalty=options.length_penalty,
            max_mistakes=options.mistakes,
            progress=advance,
        )
    seconds = time.monotonic() - started
    found = json.dumps(_json(options, scores, seconds), ensure_ascii=False)
    if options.json:
        print(found)
    else:
        print("\n".join(_lines(options, scores, seconds)))
    if options.save:
        write_whole(Path(options.save), found + "\n")
    return 0


def _json(options: Namespace, scores: Scores, seconds: float) -> dict[str, object]:
    return {
        "model": options.model,
        "data": options.data,
        "beam_size": options.beam_size,
        "length_penalty": options.length_penalty,
        "seconds": round(seconds, 3),
        **scores.to_json(),
    }


def _lines(options: Namespace, scores: Scores, seconds: float) -> Iterator[str]:
    search = "greedily" if options.beam_size == 1 else f"with a beam of {options.beam_size}"
    yield f"{options.model} on {options.data}, decoded freely and {search}"
    yield (
        f"  WER  {scores.word_error_rate:6.2f} %   "
        f"{scores.wrong:,} of {scores.sources:,} sources wrong"
    )
    yield (
        f"  PER  {scores.symbol_error_rate:6.2f} %   "
        f"{scores.edits:,} edits in {scores.reference_symbols:,} symbols"
    )
    yield f"  time {seconds:6.2f} s   {scores.sources / seconds:,.0f} sources a second"
    if scores.mistakes:
        yield "the first wrong ones (source: predicted, right)"
    for mistake in scores.mistakes:
        yield f"  {mistake.source}: {mistake.predicted}, {' or '.join(mistake.references)}"
