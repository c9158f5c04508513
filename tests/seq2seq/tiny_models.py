"""Small encoder-decoders and batches for the tests of this folder."""

import torch
from torch import Tensor

from unrolled.seq2seq import Architecture, Seq2Seq, build

VOCAB = 7


def tiny_model(dtype: torch.dtype = torch.float64, seed: int = 0, **choices: object) -> Seq2Seq:
    """A model of random weights, wide enough apart that no two symbols are nearly alike."""
    fields: dict[str, object] = {
        "source_vocab_size": VOCAB,
        "target_vocab_size": VOCAB,
        "embedding_size": 4,
        "encoder_hidden_size": 4,
        "decoder_hidden_size": 8,
    }
    torch.manual_seed(seed)
    model = build(Architecture(**(fields | choices))).to(dtype).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.6)
    return model


def padded(rows: list[list[int]], extra: int = 0) -> tuple[Tensor, Tensor]:
    """Ids with PAD behind, and lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()) + extra, dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids, lengths


def teacher(rows: list[list[int]], extra: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """target_in, target_out and lengths of target ids."""
    target_in, lengths = padded([[1, *row] for row in rows], extra)
    return target_in, padded([[*row, 2] for row in rows], extra)[0], lengths
