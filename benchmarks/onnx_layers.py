"""The graph of a recurrent layer for onnxruntime, written from the weights of a layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

# Which of PyTorch's gates stands where in ONNX: GRU z, r, h; LSTM i, o, f, c.
ORDER = {"GRU": (1, 0, 2), "RNN": (0,), "LSTM": (0, 3, 1, 2)}


def onnx_run(layer: Any, cell: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from (step, batch, input) to the output of the same layer.

    Args:
        layer: of `torch.nn` or `unrolled.nn`, padded runs from zeros.
        cell: the name of its class.
    """
    nodes, weights = _stack(layer, cell, states=False)
    session = _session(nodes, weights, ["x"], ["output"])
    return lambda x: session.run(["output"], {"x": x})[0]


def onnx_stream(layer: Any, cell: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from (1, batch, input) to the output of one step; it carries the state along.

    Args:
        layer: as above, in one direction.
        cell: the name of its class.
    """
    nodes, weights = _stack(layer, cell, states=True)
    kinds = ("h", "c") if cell == "LSTM" else ("h",)
    names = [f"{kind}{number}" for number in range(layer.num_layers) for kind in kinds]
    ends = [f"{name}_n" for name in names]
    session = _session(nodes, weights, ["x", *names], ["output", *ends])
    zeros = np.zeros((1, 1, layer.hidden_size), np.float32)
    state = dict.fromkeys(names, zeros)

    def step(x: np.ndarray) -> np.ndarray:
        output, *found = session.run(None, {"x": x, **state})
        state.update(zip(names, found, strict=True))
        return output

    return step


def _stack(layer: Any, cell: str, *, states: bool) -> tuple[list[Any], list[Any]]:
    directions, size = 1 + layer.bidirectional, layer.hidden_size
    nodes, weights = [], [_constant("flat", np.array([0, 0, directions * size], np.int64))]
    parameters = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    read = "x"
    for number in range(layer.num_layers):
        ends = [f"_l{number}", f"_l{number}_reverse"][:directions]
        both = {
            kind: np.stack([_ordered(parameters[kind + end], cell) for end in ends])
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        bias = np.concatenate([both["bias_ih"], both["bias_hh"]], axis=1)
        here = [f"W{number}", f"R{number}", f"B{number}"]
        values = (both["weight_ih"], both["weight_hh"], bias)
        weights += [_constant(name, value) for name, value in zip(here, values, strict=True)]
        before = [f"h{number}"] + ([f"c{number}"] if cell == "LSTM" else [])
        settings = {"linear_before_reset": 1} if cell == "GRU" else {}
        nodes += [
            helper.make_node(
                cell,
                [read, *here, "", *(before if states else [])],
                [f"Y{number}", *(f"{name}_n" for name in (before if states else []))],
                hidden_size=size,
                direction="bidirectional" if layer.bidirectional else "forward",
                **settings,
            ),
            helper.make_node("Transpose", [f"Y{number}"], [f"T{number}"], perm=[0, 2, 1, 3]),
        ]
        read = "output" if number == layer.num_layers - 1 else f"X{number + 1}"
        nodes.append(helper.make_node("Reshape", [f"T{number}", "flat"], [read]))
    return nodes, weights


def _ordered(value: np.ndarray, cell: str) -> np.ndarray:
    gates = np.split(value, len(ORDER[cell]))
    return np.concatenate([gates[gate] for gate in ORDER[cell]])


def _constant(name: str, value: np.ndarray) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(value), name)


def _session(nodes: list[Any], weights: list[Any], reads: list[str], gives: list[str]) -> Any:
    def described(names: list[str]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 3) for name in names
        ]

    graph = helper.make_graph(nodes, "layer", described(reads), described(gives), weights)
    versions = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
