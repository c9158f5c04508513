"""``unrolled explain``: what the tensors of a stack hold, and what a model does with a text."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from ..errors import DataError, UsageError
from ._parser import CommandParser
from ._search_options import add_search_options, check_beam
from ._stack_options import add_stack_options, given_stack_options, stack_report
from ._values import text
from ._whole_file import check_place, write_whole

if TYPE_CHECKING:
    from ..explanation import Report


def explain_parser() -> CommandParser:
    """The options of ``unrolled explain``."""
    parser = CommandParser(
        "explain",
        usage="MODEL TEXT [TEXT ...] [options]\n"
        "       unrolled explain --cell CELL --steps N [--select EXPRESSION] [options]",
        description="Show the run of a trained model on each text: the grid of its states, layers "
        "by time, with output and hidden_state marked; the bridge from encoder to decoder; where "
        "the attention looked; what was predicted.\n\n"
        "Or, without a model, which states a tensor of any recurrent stack holds: what output[:, "
        "-1] really takes, in PyTorch, Keras, ONNX or Flax, and whether that is a known trap.",
        examples="  unrolled explain runs/g2p zendaya\n"
        "  unrolled explain runs/g2p zendaya brexit --html report.html\n"
        "  unrolled explain runs/g2p zendaya --values forget_gate \\\n"
        '    --field "decoder h[layer=0, forward, step=2]"\n'
        "  unrolled explain --cell lstm --layers 2 --bidirectional --steps 5\n"
        "  unrolled explain --cell gru --layers 2 --steps 5 \\\n"
        '    --field "h[layer=1, forward, step=2]"\n'
        "  unrolled explain --cell lstm --bidirectional --lengths 5,3 --batch_first \\\n"
        '    --select "output[:, -1]"',
    )
    parser.add_argument(
        "model", type=text, metavar="MODEL", nargs="?", help="directory of a trained model"
    )
    parser.add_argument("texts", type=text, metavar="TEXT", nargs="*", help="what the model reads")
    parser.add_config_options()
    add_stack_options(parser)
    add_search_options(parser, n_best=3, beam_size=5)
    shown = parser.add_argument_group("what the grids show")
    shown.add_argument(
        "--field",
        type=text,
        metavar="STATE",
        help='mark what a state was computed from: "h[layer=1, reverse, step=4]" of a stack, and '
        'with its side in front of a model, "encoder h[layer=0, reverse, step=2]"',
    )
    shown.add_argument(
        "--values",
        type=text,
        metavar="NAME",
        help="of a model: tell each state's value, and shade the state by it: norm; input_gate, "
        "forget_gate or output_gate of an LSTM; reset_gate or update_gate of a GRU",
    )
    output = parser.add_argument_group("output", "Text is printed unless one of these is given.")
    output.add_argument(
        "--html", type=text, metavar="FILE", help="write one page that needs nothing but itself"
    )
    output.add_argument("--svg", type=text, metavar="FILE", help="write one picture")
    output.add_argument("--json", action="store_true", help="print one JSON object a report")
    output.add_argument(
        "--evaluation",
        type=text,
        metavar="FILE",
        help="what unrolled evaluate --save wrote; its scores and mistakes go into the page",
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Explain, and print or write the report."""
    options = explain_parser().parse(arguments)
    for name in ("html", "svg"):
        if options[name] is not None:
            _check_file(name, options[name])
    if options.model is None:
        if options.evaluation:
            raise UsageError("--evaluation is of a model; give MODEL and TEXT too")
        if options["values"]:
            raise UsageError(
                "--values are of a run, and a stack that need not exist has none; give MODEL and "
                "TEXT in place of --cell, or in Python unrolled.explain(tensor, layer, x, values=)"
            )
        report = stack_report(options)
        _give(options, [report], report.html() if options.html else "")
        return 0
    reports, page = _of_model(options)
    _give(options, reports, page)
    return 0


def _check_file(name: str, path: str) -> None:
    """Refuse a place that nothing can be written to, before the work."""
    if not path:
        raise UsageError(f"--{name} names no file; give one, such as --{name} report.{name}")
    if "\0" in path:
        raise UsageError(f"--{name} has a character that no name of a file can have, NUL")
    check_place(Path(path))


def _of_model(options: Namespace) -> tuple[list[Report], str]:
    """The reports of a model's runs, and the page where one is asked for."""
    if given := given_stack_options(options):
        raise UsageError(
            f"{given[0]} describes a stack in place of a model; leave out MODEL and TEXT, or "
            f"{' '.join(given)}"
        )
    if not options.texts:
        raise UsageError("TEXT is missing; see unrolled explain --help")
    check_beam(options)
    if options.svg and len(options.texts) > 1:
        raise UsageError(f"--svg draws one text, got {len(options.texts)}; give one, or use --html")
    if options.evaluation and not options.html:
        raise UsageError("--evaluation goes into a page; give --html FILE too")
    evaluation = _evaluation(options.evaluation) if options.evaluation else None

    from ..explanation import explain_run
    from ..seq2seq import Transducer

    transducer = Transducer.from_pretrained(options.model)
    reports = [
        explain_run(
            transducer,
            text,
            beam_size=options.beam_size,
            n_best=options.n_best,
            length_penalty=options.length_penalty,
            values=options["values"],
            field=options.field,
        )
        for text in options.texts
    ]
    return reports, _page(options, reports, evaluation) if options.html else ""


def _give(options: Namespace, reports: list[Report], page: str) -> None:
    """Write and print what is asked for."""
    if options.html:
        write_whole(Path(options.html), page)
    if options.svg:
        write_whole(Path(options.svg), reports[0].svg())
    for path in (options.html, options.svg):
        if path:
            print(f"wrote {path}", file=sys.stderr)
    if options.json:
        print("\n".join(report.to_json() for report in reports))
    elif not options.html and not options.svg:
        print("\n\n".join(report.text() for report in reports))


def _evaluation(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text("utf-8"))
        return {
            "scores": {
                "WER, %": float(found["word_error_rate"]),
                "PER, %": float(found["symbol_error_rate"]),
                "held-out sources": int(found["sources"]),
                "from": str(found["data"]),
            },
            "mistakes": [
                (str(m["source"]), str(m["predicted"]), " or ".join(m["references"]))
                for m in found["mistakes"]
            ],
        }
    except (ValueError, KeyError, TypeError) as fault:
        raise DataError(
            f"{path} is not what unrolled evaluate --save writes "
            f"({type(fault).__name__}: {fault}); "
            "make it with: unrolled evaluate MODEL TSV --save FILE"
        ) from None


def _page(options: Namespace, reports: list[Report], evaluation: dict[str, Any] | None) -> str:
    from ..explanation import TablePart, render_html

    tables = []
    if evaluation and evaluation["mistakes"]:
        columns = ("source", "predicted", "right")
        tables.append(TablePart("Some mistakes", columns, tuple(evaluation["mistakes"])))
    return render_html(
        reports,
        title=f"Inside {Path(options.model).name}",
        lead="What an encoder-decoder does with a text, every state by its name.",
        scores=evaluation["scores"] if evaluation else None,
        tables=tables,
    )
