"""One run of an encoder-decoder over one known target, every state kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..grid import StateGrid
from ..seq2seq import BEGIN, END, Seq2Seq


class Replay(NamedTuple):
    """What happened in a run.

    Attributes:
        encoder: the states of the encoder.
        decoder: the states of the decoder, one step for BEGIN and each target symbol.
        weights: attention of each target step, the step that ends the target included;
            (target_step, source_step).
        log_probability: of the target and END, in nats.
        read: what the encoder's and the decoder's stack read, (step, batch, input).
        start: h of each layer of the decoder before its first step, (layer, batch, hidden).
    """

    encoder: StateGrid
    decoder: StateGrid
    weights: Tensor
    log_probability: float
    read: tuple[Tensor, Tensor]
    start: Tensor


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.inference_mode()
def replay(model: Seq2Seq, source: Sequence[int], target: Sequence[int]) -> Replay:
    """Run a model as it decodes, but with the target given.

    The encoder is unrolled, and what its grid holds goes on: `output` to attention and the final
    states through the bridge. So the grid shown is the run itself and not a second one.

    Args:
        model: the encoder-decoder.
        source: source ids.
        target: target ids, without BEGIN and END.
    """
    device = next(model.parameters()).device
    with _without_dropout(model):
        embedded = model.encoder.embedding(torch.tensor([list(source)], device=device))
        encoder = model.encoder.layer.unroll(embedded)
        cell_state = encoder.cell_state if encoder.cell is not None else None
        hidden, cell = model.bridge(encoder.hidden_state, cell_state)
        state = model.decoder.start(encoder.output, encoder.mask, hidden, cell)
        hiddens, cells, rows, read_by_decoder = [], [], [], []
        log_probability = 0.0
        for read, written in zip([BEGIN, *target], [*target, END], strict=True):
            symbol = torch.tensor([read], device=device)
            fed = [] if state.attentional is None else [state.attentional]
            read_by_decoder.append(torch.cat([model.decoder.embedding(symbol), *fed], dim=-1))
            logits, weights, state = model.decoder.step(symbol, state)
            log_probability += logits[0].double().log_softmax(0)[written].item()
            hiddens.append(state.hidden)
            cells.append(state.cell)
            rows.append(weights[0])
    return Replay(
        encoder=encoder,
        decoder=StateGrid(
            _plane(hiddens),
            _plane([c for c in cells if c is not None]) if cells[0] is not None else None,
            batch_first=True,
        ),
        weights=torch.stack(rows),
        log_probability=log_probability,
        read=(embedded.transpose(0, 1), torch.stack(read_by_decoder)),
        start=hidden,
    )


def _plane(states: Sequence[Tensor]) -> Tensor:
    """(layer, batch, size) of each step as (layer, direction, step, batch, size)."""
    return torch.stack(list(states), dim=1).unsqueeze(1)
