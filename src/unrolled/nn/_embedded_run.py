"""Running a layer over embedded symbols."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ._checks import check_initial_state, check_sample_lengths, check_steps
from ._engine import may_call_kernels
from ._gru import GRU
from ._layer_run import LayerResult
from ._lstm import LSTM
from ._native_call import compute_top
from ._quantized_layer import QuantizedLayer
from ._rnn import RNN
from ._watched import is_watched
from ._weights import flat, stack_weights


def run_embedded(
    layer: RNN | GRU | LSTM | QuantizedLayer,
    embedding: nn.Embedding,
    ids: Int[Tensor, "..."],
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
        TypeError, ValueError: as the layer says, and where ids are no integers on two axes.
    """
    if ids.dim() != 2 or ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"ids is {ids.dtype} of shape {tuple(ids.shape)}; it must be of integers, with an axis "
            "for the batch and one for the steps."
        )
    shape, table = layer.shape, embedding.weight
    steps_first = ids.transpose(0, 1) if layer.batch_first else ids
    steps, batch = steps_first.shape
    h0 = table.new_zeros(shape.num_rows, batch, shape.state_size) if hidden is None else hidden
    c0 = None
    if shape.has_cell_state:
        c0 = table.new_zeros(shape.num_rows, batch, shape.cell_size) if cell is None else cell
    state = h0 if c0 is None else (h0, c0)
    if isinstance(layer, QuantizedLayer):
        return _as_result(layer(embedding(ids), state, lengths))
    weights = stack_weights(layer, shape)
    tensors = [table, h0, *flat(weights)] + ([] if c0 is None else [c0])
    is_bare = type(embedding) is nn.Embedding and embedding.max_norm is None
    dropped = layer.training and layer.dropout
    may_call = not dropped and is_bare and may_call_kernels(tensors)
    if not may_call or is_watched(embedding) or is_watched(layer):
        return _as_result(layer(embedding(ids), state, lengths))
    check_steps(steps)
    check_initial_state(state, shape=shape, batch=batch, like=table)
    real = None if lengths is None else check_sample_lengths(lengths, batch=batch, steps=steps)
    symbols = steps_first.to(torch.int64)
    kept = compute_top(shape, table, h0, c0, real, flat(weights), ids=symbols)
    output = kept.outputs[0]
    return LayerResult(output.transpose(0, 1) if layer.batch_first else output, kept.h_n, kept.c_n)


def _as_result(found: tuple[Tensor, Tensor | tuple[Tensor, Tensor]]) -> LayerResult:
    output, finals = found
    return LayerResult(output, *(finals if isinstance(finals, tuple) else (finals, None)))
