"""The encoder: symbols to memory and final states."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..grid import Cell, StackShape
from ..nn._checks import check_size
from ._special import PAD
from ._stack import make_stack, run_on_symbols


class Encoded(NamedTuple):
    """What a decoder needs of a source.

    Attributes:
        memory: the encoder's `output`, which attention reads, (batch, source_step, memory).
        mask: `True` where a source step is real, (batch, source_step).
        hidden_state: h_n of every layer and direction, (layers * directions, batch, hidden).
        cell_state: c_n likewise; `None` but for an LSTM.
    """

    memory: Float[Tensor, "batch source_step memory"]
    mask: Bool[Tensor, "batch source_step"]
    hidden_state: Float[Tensor, "row batch hidden"]
    cell_state: Float[Tensor, "row batch cell"] | None


class Encoder(nn.Module):
    """Embeds symbols and runs a recurrent stack over them.

    Args:
        vocab_size: symbols there are.
        embedding_size: features of one embedded symbol.
        hidden_size: units of one layer and direction.
        cell: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        num_layers: layers of the stack.
        bidirectional: whether each layer also runs from the last symbol to the first.
        dropout: probability of zeroing an element of the embeddings, between layers and of the
            memory, in training.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size or the cell is not possible.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        cell: Cell = "lstm",
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_size(vocab_size, "vocab_size")
        check_size(embedding_size, "embedding_size")
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        shape = StackShape(cell, embedding_size, hidden_size, num_layers, bidirectional)
        self.layer = make_stack(shape, dropout)

    @property
    def shape(self) -> StackShape:
        """The recurrent stack."""
        return self.layer.shape

    def forward(
        self, source: Int[Tensor, "batch source_step"], lengths: Int[Tensor, " batch"]
    ) -> Encoded:
        """Encode sources.

        Args:
            source: symbol ids, padding at the end, (batch, source_step).
            lengths: real symbols of each source, (batch,).

        Raises:
            ValueError: a length is below 1 or beyond the steps.
        """
        memory, hidden, cell = run_on_symbols(
            self.layer, self.embedding, self.dropout, source, lengths=lengths
        )
        steps = source.new_tensor(range(source.shape[1]))
        mask = steps[None, :] < lengths.to(source.device)[:, None]
        return Encoded(self.dropout(memory), mask, hidden, cell)
