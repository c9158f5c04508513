"""Where a decoder stands between two steps."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class DecoderState(NamedTuple):
    """All that a decoder needs to go on: a few rows for each source, and the sources.

    A search keeps several hypotheses, so several rows, of each source. The rows of a source stand
    together, each source has the same number of them, and what is read of it is held once.

    Attributes:
        hidden: h of each layer, (layer, row, hidden).
        cell: c of each layer; `None` but for an LSTM.
        attentional: the attentional vector of the step before, which input feeding reads; `None`
            without it.
        memory: (batch, source_step, memory), 0 in its padding.
        keys: the memory as the attention compares it, computed once.
        mask: `True` where a source step is real.
    """

    hidden: Float[Tensor, "layer row hidden"]
    cell: Float[Tensor, "layer row cell"] | None
    attentional: Float[Tensor, "row hidden"] | None
    memory: Float[Tensor, "batch source_step memory"]
    keys: Float[Tensor, "batch source_step key"]
    mask: Bool[Tensor, "batch source_step"]

    def select(self, sources: Int[Tensor, " selected"]) -> "DecoderState":
        """The same for some of the sources, all rows of each, in the order given.

        Args:
            sources: indices into the batch; one may come twice.
        """
        each = self.hidden.shape[1] // self.mask.shape[0]
        rows = sources[:, None] * each + torch.arange(each, device=sources.device)
        return self.select_recurrent(rows.flatten())._replace(
            memory=self.memory[sources], keys=self.keys[sources], mask=self.mask[sources]
        )

    def select_recurrent(self, rows: Int[Tensor, " selected"]) -> "DecoderState":
        """The same for other rows of the same sources, the same number for each source.

        Args:
            rows: indices into the rows, those of a source together; one may come twice.
        """
        return self._replace(
            hidden=self.hidden[:, rows],
            cell=None if self.cell is None else self.cell[:, rows],
            attentional=None if self.attentional is None else self.attentional[rows],
        )
