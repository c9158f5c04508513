"""Reports to draw in tests: made by hand, small, the same on every machine."""

from unrolled.explanation import (
    AttentionPart,
    BridgePart,
    Guess,
    PredictionPart,
    Report,
    ScorePart,
    TablePart,
    explain_selection,
    explain_shape,
    grid_part,
)
from unrolled.grid import StackShape, StateAddress


def _norms(shape: StackShape, length: int) -> dict[StateAddress, float]:
    addresses = [
        StateAddress(kind, layer, direction, step)
        for kind in ("hidden", "cell")
        for layer, direction in shape.rows()
        for step in range(length)
    ]
    return {address: 0.25 + (place * 7 % 11) / 8 for place, address in enumerate(addresses)}


def run_report() -> Report:
    """As of an encoder-decoder that pronounces: every kind of part is in it."""
    encoder = StackShape("lstm", 4, 4, num_layers=2, bidirectional=True)
    decoder = StackShape("lstm", 4, 8, num_layers=2)
    said = ("K", "AE1", "T")
    weights = ((0.75, 0.125, 0.125), (0.0, 1.0, 0.0), (0.0, 0.25, 0.75), (0.25, 0.25, 0.5))
    return Report(
        "The run of cat",
        (
            PredictionPart("cat", (Guess("K AE1 T", -0.25), Guess("S AE1 T", -1.5))),
            grid_part(encoder, 3, name="encoder", symbols=tuple("cat"), norms=_norms(encoder, 3)),
            BridgePart(
                tuple(
                    f"decoder {kind}[layer={layer}] ← concat("
                    f"encoder {kind}[layer={layer}, forward, step=last], "
                    f"encoder {kind}[layer={layer}, reverse, step=0])"
                    for layer in range(2)
                    for kind in "hc"
                )
            ),
            grid_part(
                decoder,
                4,
                name="decoder",
                symbols=("<begin>", *said),
                predicted=(*said, "<end>"),
                initial="bridge",
                norms=_norms(decoder, 4),
            ),
            AttentionPart("cat", tuple("cat"), (*said, "<end>"), weights),
            ScorePart((("WER %", "31.20"), ("words", "1,234"))),
            TablePart("Words", ("word", "predicted"), (("cat", "K AE1 T"), ("dog", ""))),
        ),
    )


def gates_report() -> Report:
    """A gate of each state, and a receptive field that goes on in another grid."""
    encoder = StackShape("gru", 4, 8, num_layers=2, bidirectional=True)
    decoder = StackShape("gru", 4, 8)
    gates = {
        StateAddress("hidden", layer, direction, step): (place * 5 % 9) / 8
        for place, (layer, direction, step) in enumerate(
            (layer, direction, step) for layer, direction in encoder.rows() for step in range(3)
        )
    }
    reached = {address for address in gates if address.layer == 0}
    chosen = StateAddress("hidden", 0, "forward", 1)
    return Report(
        "Gates",
        (
            grid_part(
                encoder,
                4,
                3,
                name="encoder",
                norms=_norms(encoder, 3),
                values="update_gate",
                gates=gates,
                chosen_elsewhere=f"decoder {chosen}",
                reached=reached,
            ),
            grid_part(
                decoder,
                3,
                name="decoder",
                norms=_norms(decoder, 3),
                chosen=chosen,
                feeds=True,
                values="norm",
            ),
        ),
    )


def examples() -> dict[str, Report]:
    """Each report that has golden files, by the name of its files."""
    return {
        "rnn-1": explain_shape(StackShape("rnn_tanh", 4, 8), steps=4),
        "gru-1-both": explain_shape(StackShape("gru", 4, 8, bidirectional=True), steps=3),
        "gru-3": explain_shape(StackShape("gru", 4, 8, num_layers=3), steps=1),
        "lstm-2-both": explain_shape(
            StackShape("lstm", 4, 8, num_layers=2, bidirectional=True, proj_size=3), steps=5
        ),
        "lstm-2-both-ragged": explain_shape(
            StackShape("lstm", 4, 8, num_layers=2, bidirectional=True), steps=5, lengths=[5, 3, 1]
        ),
        "selected-last-step": explain_selection(
            StackShape("lstm", 4, 8, num_layers=2, bidirectional=True),
            5,
            "output[:, -1]",
            lengths=[5, 3],
        ),
        "selected-mean-keras": explain_selection(
            StackShape("gru", 4, 8), 4, "output.mean(1)", lengths=[4, 2], framework="keras"
        ),
        "selected-view": explain_selection(
            StackShape("gru", 4, 8, bidirectional=True), 3, "h_n.view(batch, -1)"
        ),
        "field-ragged": explain_selection(
            StackShape("gru", 4, 8, num_layers=3, bidirectional=True),
            5,
            "output[:, -1]",
            lengths=[5, 4],
            field="h[layer=1, reverse, step=3]",
        ),
        "gates": gates_report(),
        "run": run_report(),
    }


def renderings(name: str, report: Report) -> dict[str, str]:
    """File ending and content of each golden file of a report."""
    drawn = {
        "txt": report.text(),
        "svg": report.svg(),
        "json": report.to_json(indent=1) + "\n",
    }
    if name in ("run", "selected-last-step"):
        drawn["html"] = report.html()
    return drawn
