"""A tiny model with weights by chance."""

from typing import Any

import torch

from unrolled.seq2seq import Architecture, Transducer, build, train_symbols


def untrained(seed: int = 0, **choices: Any) -> Transducer:
    """A transducer from the letters a to e to their capitals, with weights by chance."""
    source = train_symbols(["abcde"])
    target = train_symbols(["A B C D E"], "separator")
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "decoder_hidden_size": 7, **choices}
    architecture = Architecture(
        source_vocab_size=len(source), target_vocab_size=len(target), **sizes
    )
    torch.manual_seed(seed)
    return Transducer(build(architecture), architecture, source, target)
