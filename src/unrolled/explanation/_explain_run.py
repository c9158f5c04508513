"""The run of a trained model on one text: its states, its bridge, its attention, what it said."""

from typing import TYPE_CHECKING

from ..errors import DataError
from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import grid_part
from ._prediction_part import Guess, PredictionPart
from ._report import Report
from ._run_field import RunField, run_field
from ._symbol import shown_text
from ._value_kinds import check_values

if TYPE_CHECKING:
    from ..seq2seq import Transducer

MOST_SYMBOLS = 200


def explain_run(
    transducer: "Transducer",
    text: str,
    *,
    beam_size: int = 5,
    n_best: int = 3,
    length_penalty: float = 0.0,
    values: str | None = None,
    field: str | None = None,
) -> Report:
    """What happens inside a trained model when it reads a text.

    The best prediction is run once more with every state kept: the encoder's grid, the bridge's
    map, the decoder's grid with what it read and predicted, and the attention of each step. The
    states carry their Euclidean norms.

    Args:
        transducer: the trained model.
        text: what it reads; at most 200 symbols, so that the picture can be looked at.
        beam_size: hypotheses kept at each step.
        n_best: predictions in the report.
        length_penalty: alpha of `unrolled.seq2seq.beam_search`.
        values: what is told of each state in numbers, and shades it: `"norm"`, or a gate of the
            cell, `"input_gate"`, `"forget_gate"` and `"output_gate"` of an LSTM, `"reset_gate"` and
            `"update_gate"` of a GRU, as the mean over its units. Without it norms shade the states.
        field: a state, such as `"encoder h[layer=0, reverse, step=2]"` or
            `"decoder c[layer=0, forward, step=3]"`, whose receptive field is marked: what it was
            computed from, in the encoder too if it is the decoder's.

    Returns:
        A report with a prediction, the grids `"encoder"` and `"decoder"`, the bridge between them
        and the attention.

    Raises:
        DataError: the text holds no symbols, or too many.
        UsageError: the run has no such values or no such state.
        ValueError: a number is not possible.
    """
    # Here and not above: pictures of a shape need no PyTorch.
    from ..seq2seq import BEGIN, END, UNKNOWN
    from ._replay import replay
    from ._run_values import run_values

    shapes = transducer.model.encoder.shape, transducer.model.decoder.shape
    if values is not None:
        check_values(values, shapes)
    source = transducer.source_symbols.encode(text)
    if len(source) > MOST_SYMBOLS:
        raise DataError(
            f"the text has {len(source)} symbols; a run of at most {MOST_SYMBOLS} can be drawn. "
            "Give a shorter one."
        )
    (predictions,) = transducer.predict(
        [text], beam_size=beam_size, n_best=n_best, length_penalty=length_penalty
    )
    best = predictions[0]
    symbols = transducer.target_symbols
    id_of = {symbols.id_to_piece(id_): id_ for id_ in range(UNKNOWN + 1, len(symbols))}
    model = transducer.model
    seen = replay(model, source, [id_of[piece] for piece in best.target_pieces])
    predicted = (*best.target_pieces, symbols.id_to_piece(END))
    marks = (
        run_field(model, field, len(source), len(predicted)) if field is not None else RunField()
    )
    shown = run_values(model, seen, values)
    weights = seen.weights.clamp(0, 1).tolist()  # a softmax may round to just above 1
    return Report(
        f"The run of {shown_text(text)}",
        (
            PredictionPart(
                text,
                tuple(Guess(prediction.text, prediction.score) for prediction in predictions),
                tuple(transducer.source_symbols.unknown(text)),
            ),
            grid_part(
                model.encoder.shape,
                len(source),
                name="encoder",
                symbols=best.source_pieces,
                chosen=marks.encoder,
                chosen_elsewhere=f"decoder {marks.decoder}" if marks.decoder else "",
                reached=marks.reached,
                norms=shown[0].norms,
                values=shown[0].values,
                gates=shown[0].gates,
            ),
            BridgePart(tuple(str(model.bridge.map).splitlines())),
            grid_part(
                model.decoder.shape,
                len(predicted),
                name="decoder",
                symbols=(symbols.id_to_piece(BEGIN), *best.target_pieces),
                predicted=predicted,
                initial="bridge",
                chosen=marks.decoder,
                feeds=model.decoder.input_feeding,
                norms=shown[1].norms,
                values=shown[1].values,
                gates=shown[1].gates,
            ),
            AttentionPart(text, best.source_pieces, predicted, tuple(map(tuple, weights))),
        ),
    )
