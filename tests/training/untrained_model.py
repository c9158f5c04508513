"""A tiny model with weights by chance."""

from typing import Any

import torch

from unrolled.seq2seq import Architecture, Transducer, build, train_symbols


def untrained(seed: int = 0, spread: float | None = None, **choices: Any) -> Transducer:
    """A transducer from the letters a to e to their capitals, with weights by chance.

    A `spread` draws them from N(0, spread**2), so far apart that no two symbols are nearly alike.
    """
    source = train_symbols(["abcde"])
    target = train_symbols(["A B C D E"], "separator")
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "decoder_hidden_size": 7, **choices}
    architecture = Architecture(
        source_vocab_size=len(source), target_vocab_size=len(target), **sizes
    )
    torch.manual_seed(seed)
    model = build(architecture)
    if spread is not None:
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(std=spread)
    return Transducer(model, architecture, source, target)
