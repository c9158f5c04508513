"""Where a decoder stands between two steps."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class DecoderState(NamedTuple):
    """All that a decoder needs to go on.

    Attributes:
        hidden: h of each layer, (layer, batch, hidden).
        cell: c of each layer; `None` but for an LSTM.
        attentional: the attentional vector of the step before, which input feeding reads; `None`
            without it.
        memory: (batch, source_step, memory).
        keys: the memory as the attention compares it, computed once.
        mask: `True` where a source step is real.
    """

    hidden: Float[Tensor, "layer batch hidden"]
    cell: Float[Tensor, "layer batch cell"] | None
    attentional: Float[Tensor, "batch hidden"] | None
    memory: Float[Tensor, "batch source_step memory"]
    keys: Float[Tensor, "batch source_step key"]
    mask: Bool[Tensor, "batch source_step"]

    def select(self, rows: Int[Tensor, " selected"]) -> "DecoderState":
        """The same for some rows of the batch, in the order given; a row may come twice.

        Args:
            rows: indices into the batch.
        """
        return self.select_recurrent(rows)._replace(
            memory=self.memory[rows], keys=self.keys[rows], mask=self.mask[rows]
        )

    def select_recurrent(self, rows: Int[Tensor, " selected"]) -> "DecoderState":
        """Reorder only what the steps change, where all rows read the same source.

        Args:
            rows: indices into the batch.
        """
        return self._replace(
            hidden=self.hidden[:, rows],
            cell=None if self.cell is None else self.cell[:, rows],
            attentional=None if self.attentional is None else self.attentional[rows],
        )
