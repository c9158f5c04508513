"""The compiled recurrent stack."""

from typing import Any

from ..grid import StackShape
from ._isa import isa, native, why_unavailable


def recurrent_stack(shape: StackShape, precision: str = "fp32") -> Any:
    """A compiled stack with room for its packed weights; runs on arrays of float32.

    Its `bind` is told of the weights once, and gives what `forward` and `backward` take.

    Args:
        shape: the stack.
        precision: of the weights in its products, `"fp32"`, `"bf16"` or `"int8"`. Those of bf16 are
            given by their bits, as int16; after those of int8 come their scales.

    Raises:
        RuntimeError: there is no compiled module.
    """
    return compiled_module().Stack(
        shape.cell,
        shape.input_size,
        shape.hidden_size,
        shape.num_layers,
        shape.num_directions,
        shape.bias,
        shape.proj_size,
        isa().name,
        precision,
    )


def recurrent_stream(
    shape: StackShape,
    weights: Any,
    x: Any,
    h: Any,
    c: Any,
    outputs: Any,
    threads: int,
    precision: str = "fp32",
) -> Any:
    """A compiled stack that runs one step at every call of `step`, in arrays that stay in place.

    Args:
        shape: the stack, of one direction.
        weights: of each layer, packed once and for all.
        x: float32, (1, batch, input), to be filled before a step.
        h: float32, (layer, batch, hidden), before and after it.
        c: likewise, (layer, batch, cell); `None` but for an LSTM.
        outputs: of each layer, float32, (1, batch, hidden), after it.
        threads: to compute with at most.
        precision: of the weights, as in `recurrent_stack`.

    Raises:
        RuntimeError: there is no compiled module.
    """
    stack = recurrent_stack(shape, precision)
    useful = stack.useful_threads_of_a_step(x.shape[1], threads)
    return compiled_module().Stream(stack, weights, x, h, c, outputs, useful)


def gates_row(shape: StackShape) -> int:
    """Floats that a run keeps for its gradient of each step of a layer and direction.

    Args:
        shape: the stack.

    Raises:
        RuntimeError: there is no compiled module.
    """
    return int(compiled_module().gates_row(shape.cell, shape.hidden_size, isa().name))


def additive_scores(
    queries: Any, keys: Any, mask: Any, energy: Any, scores: Any, threads: int
) -> None:
    """The scores of additive attention, energy . tanh(query + key), written into `scores`.

    Args:
        queries: float32, (batch, query, key).
        keys: float32, (batch, source_step, key).
        mask: booleans, (batch, source_step); the score of a step that is not real is 0.
        energy: float32, (key,).
        scores: float32, (batch, query, source_step).
        threads: to compute with.

    Raises:
        RuntimeError: there is no compiled module.
    """
    compiled_module().additive_scores(queries, keys, mask, energy, scores, isa().name, threads)


def compiled_module() -> Any:
    """The compiled module.

    Raises:
        RuntimeError: there is none.
    """
    module = native()
    if module is None:
        raise RuntimeError(why_unavailable() or "there is no compiled module")
    return module
