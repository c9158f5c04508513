"""The attentional decoder."""

from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..grid import Cell, StackShape
from ..nn import Attention, DotAttention
from ..nn._checks import check_size
from ._decoder_state import DecoderState
from ._special import PAD
from ._stack import make_stack, run_on_symbols, run_stack


class Decoded(NamedTuple):
    """What a decoder says of every target step.

    Attributes:
        logits: unnormalised log-probabilities of the next symbol.
        weights: how much attention paid to each source step.
    """

    logits: Float[Tensor, "batch target_step vocab"]
    weights: Float[Tensor, "batch target_step source_step"]


class AttentionDecoder(nn.Module):
    """A recurrent stack that reads a memory through attention and names the next symbol.

    For each target step t, with the embedded symbol y_(t-1) before it:

        s_t = recurrent([y_(t-1); a_(t-1)], s_(t-1)), a_(t-1) only with input feeding
        k_t = attention(s_t, memory)
        a_t = tanh(W [k_t; s_t])
        logits_t = V a_t

    Source: Luong et al. (2015), equations 5 and 6, and section 3.3 for input feeding. Without
    input feeding all steps of a known target run in one call of the stack, which is much faster.

    Args:
        vocab_size: symbols there are.
        embedding_size: features of one embedded symbol.
        hidden_size: units of each layer.
        memory_size: features of one step of the memory.
        attention: an attention whose query is `hidden_size` wide; of `unrolled.nn`, or any module
            with their `project` and `read`.
        cell: `"lstm"`, `"gru"`, `"rnn_tanh"` or `"rnn_relu"`.
        num_layers: layers of the stack.
        input_feeding: whether the stack also reads the attentional vector of the step before.
        dropout: probability of zeroing an element of the embeddings, between layers and of a_t,
            in training.
        tie_embeddings: whether V is the embedding matrix; needs `embedding_size == hidden_size`.

    Raises:
        TypeError: the attention is none, or a size no integer.
        ValueError: a size is not possible, the attention does not fit, or the embeddings cannot be
            tied.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        attention: nn.Module,
        cell: Cell = "lstm",
        num_layers: int = 1,
        input_feeding: bool = False,
        dropout: float = 0.0,
        tie_embeddings: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (
            ("vocab_size", vocab_size),
            ("embedding_size", embedding_size),
            ("memory_size", memory_size),
        ):
            check_size(size, name)
        if tie_embeddings and embedding_size != hidden_size:
            raise ValueError(
                f"tie_embeddings needs embedding_size and hidden_size to be the same, but they are "
                f"{embedding_size} and {hidden_size}."
            )
        _check_attention(attention, query_size=hidden_size, memory_size=memory_size)
        self.input_feeding = input_feeding
        self.memory_size = memory_size
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        read = embedding_size + (hidden_size if input_feeding else 0)
        self.layer = make_stack(StackShape(cell, read, hidden_size, num_layers), dropout)
        self.attention = attention
        self.combine = nn.Linear(memory_size + hidden_size, hidden_size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.vocabulary = nn.Linear(hidden_size, vocab_size)
        if tie_embeddings:
            self.vocabulary.weight = self.embedding.weight
            nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)

    @property
    def shape(self) -> StackShape:
        """The recurrent stack."""
        return self.layer.shape

    def forward(
        self,
        target_in: Int[Tensor, "batch target_step"],
        target_lengths: Int[Tensor, " batch"],
        memory: Float[Tensor, "batch source_step memory"],
        mask: Bool[Tensor, "batch source_step"],
        hidden: Float[Tensor, "layer batch hidden"],
        cell: Float[Tensor, "layer batch cell"] | None = None,
    ) -> Decoded:
        """Say of every step of a known target what comes next ("teacher forcing").

        Args:
            target_in: BEGIN and the target, padding at the end, (batch, target_step).
            target_lengths: real steps of each target, BEGIN included. Padding stands at the end
                and a decoder runs forward, so what stands there reaches no real step.
            memory: what attention reads.
            mask: `True` where a source step is real.
            hidden: h_0 of each layer.
            cell: c_0 of each layer, for an LSTM.

        Raises:
            ValueError: the sizes do not fit each other.
        """
        state = self.start(memory, mask, hidden, cell)
        if self.input_feeding:
            attentional, weights = self._fed(self.dropout(self.embedding(target_in)), state)
        else:
            queries, _, _ = self._run_without_feeding(target_in, state)
            attentional, weights = self._attend(queries, state)
        return Decoded(self.vocabulary(attentional), weights)

    def start(
        self,
        memory: Float[Tensor, "batch source_step memory"],
        mask: Bool[Tensor, "batch source_step"],
        hidden: Float[Tensor, "layer batch hidden"],
        cell: Float[Tensor, "layer batch cell"] | None = None,
    ) -> DecoderState:
        """The state before the first step.

        Args:
            memory: what attention reads.
            mask: `True` where a source step is real.
            hidden: h_0 of each layer, as a bridge makes it.
            cell: c_0 of each layer, for an LSTM.
        """
        attentional = None
        if self.input_feeding:
            attentional = memory.new_zeros(memory.shape[0], self.combine.out_features)
        memory = memory.masked_fill(~mask.unsqueeze(-1), 0.0)
        # The keys of the real steps only: in a batch of many lengths half of it is padding.
        of_real = self._attention.project(memory[mask].unsqueeze(0)).squeeze(0)
        keys = of_real.new_zeros(*mask.shape, of_real.shape[-1]).masked_scatter(
            mask.unsqueeze(-1), of_real
        )
        return DecoderState(hidden, cell, attentional, memory, keys, mask)

    def step(
        self, symbols: Int[Tensor, " batch"], state: DecoderState
    ) -> tuple[Float[Tensor, "batch vocab"], Float[Tensor, "batch source_step"], DecoderState]:
        """One step: the logits of the next symbol, the attention, and where the decoder stands.

        There may be several rows per source, as in a beam: the recurrent states of a source's rows
        then stand together, the same number for each source, and the memory is not repeated.

        Args:
            symbols: the symbol before, (batch,); BEGIN at first.
            state: where the decoder stands.
        """
        symbols = symbols.unsqueeze(1)
        if state.attentional is None:
            query, hidden, cell = self._run_without_feeding(symbols, state)
            attentional, weights = self._attend(query, state)
            state = state._replace(hidden=hidden, cell=cell)
        else:
            embedded = self.dropout(self.embedding(symbols))
            attentional, weights, state = self._one_fed(embedded, state)
        return self.vocabulary(attentional.squeeze(1)), weights.squeeze(1), state

    @property
    def _attention(self) -> Attention:
        return cast("Attention", self.attention)

    def _one_fed(
        self, embedded: Tensor, state: DecoderState
    ) -> tuple[Tensor, Tensor, DecoderState]:
        before = cast("Tensor", state.attentional)
        x = torch.cat([embedded, before.unsqueeze(1)], dim=-1)
        query, hidden, cell = run_stack(self.layer, x, state.hidden, state.cell)
        attentional, weights = self._attend(query, state)
        now = state._replace(hidden=hidden, cell=cell, attentional=attentional.squeeze(1))
        return attentional, weights, now

    def _run_without_feeding(
        self, symbols: Tensor, state: DecoderState
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return run_on_symbols(
            self.layer, self.embedding, self.dropout, symbols, state.hidden, state.cell
        )

    def _fed(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        attentionals, weights = [], []
        for step in range(embedded.shape[1]):
            attentional, weight, state = self._one_fed(embedded[:, step : step + 1], state)
            attentionals.append(attentional)
            weights.append(weight)
        return torch.cat(attentionals, dim=1), torch.cat(weights, dim=1)

    def _attend(self, queries: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        rows, steps, size = queries.shape
        grouped = queries.reshape(state.memory.shape[0], -1, size)
        read = self._attention.read(grouped, state.memory, state.mask, state.keys)
        if isinstance(read, Tensor):
            raise TypeError(
                f"{type(self.attention).__name__}.read gave a tensor; it must give context and "
                "weights, as unrolled.nn.Attended(context, weights)."
            )
        context, weights = (part.reshape(rows, steps, -1) for part in read)
        combined = torch.tanh(self.combine(torch.cat([context, queries], dim=-1)))
        return self.dropout(combined), weights


def _check_attention(attention: nn.Module, *, query_size: int, memory_size: int) -> None:
    if isinstance(attention, DotAttention):
        if memory_size != query_size:
            raise ValueError(
                f"DotAttention needs hidden_size and memory_size to be the same, but they are "
                f"{query_size} and {memory_size}; use GeneralAttention."
            )
        return
    # The protocol asks for names alone, and a class has those of what it makes.
    has_methods = isinstance(attention, Attention) and callable(attention.project)
    if not (isinstance(attention, nn.Module) and has_methods and callable(attention.read)):
        is_class = isinstance(attention, type)
        found = f"the class {attention.__name__}" if is_class else f"a {type(attention).__name__}"
        raise TypeError(
            f"attention is {found}; it must be one of unrolled.nn, or a module with their methods "
            "project and read."
        )
    # An attention of somebody's own need not tell its sizes.
    for name, needed in (("query_size", query_size), ("memory_size", memory_size)):
        size = getattr(attention, name, needed)
        if size != needed:
            raise ValueError(
                f"the attention was built with {name}={size}, but this decoder needs {needed}: "
                "its queries are hidden_size wide and its memory memory_size."
            )
