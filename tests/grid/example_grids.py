"""Runs whose pictures are kept as golden files."""

import numpy as np
import torch

from unrolled.grid import StateGrid


def examples() -> dict[str, StateGrid]:
    """A grid for each golden file, by its name."""

    def zeros(*axes: int) -> np.ndarray:
        return np.zeros(axes, np.float32)

    return {
        "gru-1": StateGrid(zeros(1, 1, 5, 3, 4)),
        "gru-2-both": StateGrid(zeros(2, 2, 5, 3, 4)),
        "lstm-2-both-ragged": StateGrid(
            zeros(2, 2, 6, 3, 4), zeros(2, 2, 6, 3, 8), lengths=[4, 6, 1]
        ),
        "lstm-3-unbatched": StateGrid(zeros(3, 1, 4, 1, 4), zeros(3, 1, 4, 1, 4), batched=False),
        "rnn-2-padded": StateGrid(zeros(2, 2, 7, 2, 4), lengths=[5, 5], batch_first=True),
        "rnn-1-one-step-no-sample": StateGrid(zeros(1, 2, 1, 0, 4)),
        "gru-20-long-large-batch": StateGrid(
            torch.zeros(20, 2, 120, 40, 4, dtype=torch.bfloat16),
            lengths=[100, *range(60, 99)],
            batch_first=True,
        ),
    }
