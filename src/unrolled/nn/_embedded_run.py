"""Running a layer over embedded symbols."""

from collections.abc import Sequence

from jaxtyping import Int
from torch import Tensor, nn

from ._checks import check_sample_lengths
from ._engine import current_engine
from ._gru import GRU
from ._kernel_use import is_plain, why_not_compiled
from ._layer_run import LayerResult, run_layer
from ._lstm import LSTM
from ._native_op import compute, flat
from ._rnn import RNN
from ._weights import stack_weights


def run_embedded(
    layer: RNN | GRU | LSTM,
    embedding: nn.Embedding,
    ids: Int[Tensor, "axis other_axis"],
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
    lengths: Tensor | Sequence[int] | None = None,
) -> LayerResult:
    """`layer(embedding(ids))`, without looking a symbol up or multiplying it twice.

    Where nothing is to be differentiated, the kernels multiply the whole table by the weights of
    the first layer once, if that is less than all steps, and every step takes its row.

    Args:
        layer: what to run.
        embedding: a row for each symbol.
        ids: the symbols, (step, batch), or (batch, step) with `batch_first`.
        hidden: h_0; zeros when absent.
        cell: c_0 of an LSTM; zeros when absent.
        lengths: real steps of each sample; all when absent.

    Raises:
        IndexError: an id is in no row of the embedding.
        TypeError, ValueError: as the layer says.
    """
    shape, weights, table = layer.shape, stack_weights(layer, layer.shape), embedding.weight
    steps_first = ids.transpose(0, 1) if layer.batch_first else ids
    rows = (shape.num_rows, steps_first.shape[1])
    h0 = table.new_zeros(*rows, shape.state_size) if hidden is None else hidden
    c0 = None
    if shape.has_cell_state:
        c0 = table.new_zeros(*rows, shape.cell_size) if cell is None else cell
    tensors = [table, h0, *flat(weights)] + ([] if c0 is None else [c0])
    is_native = current_engine().engine.name == "native" and why_not_compiled(tensors) is None
    if not is_native or not is_plain(tensors) or (layer.training and layer.dropout):
        state = h0 if c0 is None else (h0, c0)
        return run_layer(layer, weights, embedding(ids), state, lengths)
    real = None
    if lengths is not None:
        real = check_sample_lengths(lengths, batch=rows[1], steps=steps_first.shape[0])
    kept = compute(
        shape, table, h0, c0, real, flat(weights), cells=False, gates=False, ids=steps_first
    )
    output = kept.outputs[-1]
    return LayerResult(output.transpose(0, 1) if layer.batch_first else output, kept.h_n, kept.c_n)
