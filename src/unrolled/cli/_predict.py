"""``unrolled predict``: words from the command line, a file, a pipe, or typed one at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from ..errors import DataError, UsageError
from ._parser import CommandParser
from ._prediction_text import as_json, as_lines
from ._search_options import add_search_options, check_beam
from ._text_lines import Line, gather, standard_input
from ._values import separator, text, whole

if TYPE_CHECKING:
    from ..seq2seq import Prediction, Transducer

LINES_AT_ONCE = 256


def predict_parser() -> CommandParser:
    """The options of ``unrolled predict``."""
    parser = CommandParser(
        "predict",
        usage="MODEL [WORD ...] [options]",
        description="Decode with a trained model. The texts are the words given, or the lines of "
        "--file, or of standard input when that is a pipe; on a terminal, you are asked for one "
        "at a time. Each answer is a line: the text, a tab, its prediction.",
        examples="  unrolled predict runs/g2p zendaya brexit\n"
        "  unrolled predict runs/g2p --file words.txt --n_best 3 --scores > answers.tsv\n"
        "  cat words.txt | unrolled predict runs/g2p | head",
    )
    parser.add_argument("model", type=text, metavar="MODEL", help="directory of a trained model")
    parser.add_argument("words", type=text, metavar="WORD", nargs="*", help="text to decode")
    parser.add_config_options()
    source = parser.add_argument_group("input")
    source.add_argument(
        "--file", type=text, metavar="FILE", help="read lines from FILE, also .gz; - is stdin"
    )
    source.add_argument(
        "--source_column",
        type=whole(1),
        metavar="N",
        help="the text is this column of each line, counted from 1 (unless given: the whole line)",
    )
    source.add_argument(
        "--delimiter",
        type=separator,
        metavar="TEXT",
        default="\\t",
        help="what stands between columns",
    )
    source.add_argument(
        "--max_length",
        type=whole(1),
        metavar="N",
        default=1000,
        help="longest text in symbols; a longer one gets no prediction",
    )
    add_search_options(parser, n_best=1)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--scores",
        action="store_true",
        help="add a column: log-probability in nats, divided by the length penalty if there is one",
    )
    output.add_argument(
        "--attention",
        action="store_true",
        help="draw below each prediction where its symbols looked; numbers with --json",
    )
    output.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Predict, and print as predictions come."""
    options = predict_parser().parse(arguments)
    check_beam(options)
    if options.words and options.file:
        raise UsageError("words were given and --file too; give one of the two")
    interactive = not options.words and not options.file and sys.stdin.isatty()

    from ..seq2seq import Transducer, read_lines

    transducer = Transducer.from_pretrained(options.model)
    if interactive:
        return _converse(transducer, options)
    if options.words:
        return _predict_all(transducer, options, "word", iter(enumerate(options.words, start=1)))
    if options.file in (None, "-"):
        return _predict_all(transducer, options, "standard input", standard_input())
    return _predict_all(transducer, options, options.file, read_lines(Path(options.file)))


def _predict_all(
    transducer: Transducer, options: Namespace, name: str, lines: Iterator[Line]
) -> int:
    skipped = 0
    for group in gather(lines, LINES_AT_ONCE):
        texts = [_source(line, number, name, options) for number, line in group]
        faults = [_fault(transducer, text, options.max_length) for text in texts]
        sound = [text for text, fault in zip(texts, faults, strict=True) if fault is None]
        answers = iter(_predict(transducer, options, sound))
        for (number, _), source, fault in zip(group, texts, faults, strict=True):
            if fault is None:
                _warn_of_unseen(transducer, f"{name}:{number}", source)
                _show(source, number, next(answers), options)
            else:
                skipped += bool(source)
                print(f"{name}:{number}: {fault}; nothing is predicted for it", file=sys.stderr)
                print()
        sys.stdout.flush()
    if skipped:
        raise DataError(
            f"{skipped} of the texts had no prediction and are empty lines in the output; "
            "raise --max_length if they are meant to be that long"
        )
    return 0


def _converse(transducer: Transducer, options: Namespace) -> int:
    with suppress(ImportError):
        import readline  # noqa: F401  gives input() a history and keys to edit the line
    print("Type a text and press Enter; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            typed = input("> ").strip()
        except EOFError:
            print()
            return 0
        if not typed:
            continue
        if fault := _fault(transducer, typed, options.max_length):
            print(f"{fault}; try another", file=sys.stderr)
            continue
        _warn_of_unseen(transducer, "typed", typed)
        _show(typed, None, _predict(transducer, options, [typed])[0], options)


def _predict(
    transducer: Transducer, options: Namespace, texts: list[str]
) -> list[list[Prediction]]:
    if not texts:
        return []
    return transducer.predict(
        texts,
        beam_size=options.beam_size,
        n_best=options.n_best,
        length_penalty=options.length_penalty,
        attention=options.attention,
    )


def _source(line: str, number: int, name: str, options: Namespace) -> str:
    if options.source_column is None:
        return line
    column: int = options.source_column
    fields: list[str] = line.split(options.delimiter)
    if column > len(fields):
        raise DataError(
            f"{name}:{number}: there is no column {column}, the line has {len(fields)}; "
            "change --source_column or --delimiter"
        )
    return fields[column - 1]


def _fault(transducer: Transducer, text: str, max_length: int) -> str | None:
    if not text.strip():
        return "the text is empty"
    length = len(transducer.source_symbols.encode(text))
    if length > max_length:
        return f"the text has {length} symbols, more than --max_length {max_length}"
    return None


def _warn_of_unseen(transducer: Transducer, place: str, text: str) -> None:
    unseen = transducer.source_symbols.unknown(text)
    if unseen:
        names = ", ".join(repr(piece) for piece in dict.fromkeys(unseen))
        print(
            f"{place}: {names} in {text!r} was not seen in training; it is read as unknown, "
            "so do not trust the prediction",
            file=sys.stderr,
        )


def _show(
    source: str, number: int | None, predictions: Iterable[Prediction], options: Namespace
) -> None:
    if options.json:
        print(as_json(source, number, predictions))
        return
    for line in as_lines(
        source, list(predictions), ranks=options.n_best > 1, scores=options.scores
    ):
        print(line)
