"""The run of a trained model on one text: its states, its bridge, its attention, what it said."""

from typing import TYPE_CHECKING

from ..errors import DataError
from ._attention_part import AttentionPart
from ._bridge_part import BridgePart
from ._grid_part import grid_part
from ._prediction_part import Guess, PredictionPart
from ._report import Report
from ._symbol import shown_text

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

    Returns:
        A report with a prediction, the grids `"encoder"` and `"decoder"`, the bridge between them
        and the attention.

    Raises:
        DataError: the text holds no symbols, or too many.
        ValueError: a number is not possible.
    """
    # Here and not above: pictures of a shape need no PyTorch.
    from ..seq2seq import BEGIN, END, UNKNOWN
    from ._replay import replay, state_norms

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
                norms=state_norms(seen.encoder),
            ),
            BridgePart(tuple(str(model.bridge.map).splitlines())),
            grid_part(
                model.decoder.shape,
                len(predicted),
                name="decoder",
                symbols=(symbols.id_to_piece(BEGIN), *best.target_pieces),
                predicted=predicted,
                initial="bridge",
                norms=state_norms(seen.decoder),
            ),
            AttentionPart(text, best.source_pieces, predicted, tuple(map(tuple, weights))),
        ),
    )
