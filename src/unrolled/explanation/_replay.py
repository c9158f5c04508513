"""One run of an encoder-decoder over one known target, every state kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..grid import StateAddress, StateGrid
from ..seq2seq import BEGIN, END, Seq2Seq


class Replay(NamedTuple):
    """What happened in a run.

    Attributes:
        encoder: the states of the encoder.
        decoder: the states of the decoder, one step for BEGIN and each target symbol.
        weights: attention of each target step, the step that ends the target included;
            (target_step, source_step).
        log_probability: of the target and END, in nats.
    """

    encoder: StateGrid
    decoder: StateGrid
    weights: Tensor
    log_probability: float


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
        hiddens, cells, rows = [], [], []
        log_probability = 0.0
        for read, written in zip([BEGIN, *target], [*target, END], strict=True):
            symbol = torch.tensor([read], device=device)
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
    )


def _plane(states: Sequence[Tensor]) -> Tensor:
    """(layer, batch, size) of each step as (layer, direction, step, batch, size)."""
    return torch.stack(list(states), dim=1).unsqueeze(1)


def state_norms(grid: StateGrid) -> dict[StateAddress, float]:
    """The Euclidean norm of each state of a run of one sample."""
    return {address: torch.linalg.vector_norm(value[0].double()).item() for address, value in grid}
