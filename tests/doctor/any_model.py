"""A small model for tests of what the doctor bears: its result is whatever a test makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class AnyModel(nn.Module):
    """(batch, step, 3) floats into (batch, step, 2), and what becomes of that.

    Args:
        become: makes the result of the logits.
        both: whether the layer reads in both directions.
    """

    def __init__(
        self, become: Callable[[Tensor], Any] = lambda logits: logits, both: bool = False
    ) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True, bidirectional=both)
        self.head = nn.Linear(8 if both else 4, 2)
        self.become = become

    def forward(self, x: Tensor) -> Any:
        """The result.

        Args:
            x: (batch, step, 3).
        """
        output, _ = self.layer(x)
        return self.become(self.head(output))
