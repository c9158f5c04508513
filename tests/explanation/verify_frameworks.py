"""Holds the layouts of `--framework` against the frameworks themselves; run by hand.

The frameworks are no dependency of the tests. In an environment that has unrolled and them:

    pip install keras onnx onnxruntime flax
    KERAS_BACKEND=jax python tests/explanation/verify_frameworks.py

Each state is computed on its own, as the final state of a forward run of one cell over the part
of the input that the address names; then each element of each tensor that the framework returns
must be the unit of the state that `unrolled.explanation` says.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from unrolled.explanation._framework_tensors import Tensors, framework_tensors
from unrolled.explanation._state_codes import StateCodes
from unrolled.grid import Cell, StackShape

LENGTHS = (5, 3)
STEPS, UNITS, FEATURES = 5, 4, 3
Final = Callable[[int, Any], tuple[Any, Any]]
"""Final (h, c) of one direction of the last layer, run forward over (1, step, feature)."""


def flat(name: str, tensors: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tensors, tuple | list):
        for place, one in enumerate(tensors):
            yield from flat(f"{name}[{place}]", one)
    else:
        yield name, tensors


def check(
    framework: str, cell: Cell, both: bool, lengths: tuple[int, ...], x: Any, final: Final,
    returned: dict[str, Any], batch_first: bool = True,
) -> None:  # fmt: skip
    shape = StackShape(cell, FEATURES, UNITS, 1, both)
    codes = StateCodes(shape, STEPS, len(lengths))
    held = framework_tensors(framework, codes, lengths, batch_first)  # type: ignore[arg-type]
    names: dict[str, Tensors] = dict(held.names)
    expected = dict(pair for name, one in names.items() for pair in flat(name, one))
    real = dict(pair for name, one in returned.items() for pair in flat(name, one))
    assert set(expected) == set(real), (set(expected), set(real))
    padded = set()
    for name, tensor in expected.items():
        values = np.asarray(real[name])
        assert values.shape == tensor.shape, (name, values.shape, tensor.shape)
        for place in np.ndindex(*tensor.shape):
            code = int(tensor.places[place])
            if code >= codes.padding:
                padded.add(float(values[place]))
                continue
            sample, address, unit = codes.named(code)
            way = ("forward", "reverse").index(address.direction)
            length = lengths[sample]
            read = x[sample, : address.step + 1] if way == 0 else x[sample, address.step : length]
            read = read if way == 0 else read[::-1]
            h, c = final(way, np.ascontiguousarray(read[None]))
            truth = h if address.kind == "hidden" else c
            assert abs(float(values[place]) - float(np.asarray(truth)[0, unit])) < 1e-5, (
                name, place, str(address))  # fmt: skip
    what = f"{framework} {cell} {'both ways' if both else 'forward'} lengths {lengths}"
    zeros = f", padded elements all 0: {padded == {0.0}}" if padded else ""
    print(f"{what}: {', '.join(expected)} hold what they should{zeros}")


def keras_cases(cell: Cell, both: bool, lengths: tuple[int, ...], x: Any) -> None:
    import keras

    kinds = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "SimpleRNN"}
    kind = getattr(keras.layers, kinds[cell])
    one = kind(UNITS, return_sequences=True, return_state=True, name="one")
    layer = keras.layers.Bidirectional(one) if both else one
    mask = np.arange(STEPS)[None] < np.array(lengths)[:, None]
    outputs = [np.asarray(part) for part in layer(x, mask=mask)]
    parts = ["h", "c"] if cell == "lstm" else ["h"]
    words = ["forward", "backward"] if both else ["state"]
    returned = {"output": outputs[0]}
    returned |= dict(zip([f"{w}_{p}" for w in words for p in parts], outputs[1:], strict=True))
    # `Bidirectional` decides in its constructor what it fills masked steps with.
    last = keras.layers.Bidirectional(kind(UNITS)) if both else kind(UNITS)
    last.build(x.shape)
    last.set_weights(layer.get_weights())
    returned["last_output"] = np.asarray(last(x, mask=mask))
    directions = [layer.forward_layer, layer.backward_layer] if both else [layer]

    def final(way: int, read: Any) -> tuple[Any, Any]:
        cell_layer = directions[way].cell
        states = [np.zeros((1, UNITS), np.float32) for _ in parts]
        for step in range(read.shape[1]):
            _, states = cell_layer(read[:, step], states)
        return states[0], states[-1]

    check("keras", cell, both, lengths, x, final, returned)


def onnx_cases(cell: Cell, both: bool, lengths: tuple[int, ...], x: Any, layout: int) -> None:
    import onnxruntime
    from onnx import TensorProto, helper

    gates = {"lstm": 4, "gru": 3, "rnn_tanh": 1}[cell]
    operator = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN"}[cell]
    ways = 1 + both
    chance = np.random.default_rng(1)
    w = chance.normal(size=(ways, gates * UNITS, FEATURES)).astype(np.float32)
    r = chance.normal(size=(ways, gates * UNITS, UNITS)).astype(np.float32)
    names = ["Y", "Y_h", "Y_c"][: 3 if cell == "lstm" else 2]

    def run(w: Any, r: Any, x: Any, lengths: Any, layout: int) -> list[Any]:
        directions = len(w)
        node = helper.make_node(
            operator, ["X", "W", "R", "", "L"], names, hidden_size=UNITS, layout=layout,
            direction="bidirectional" if directions == 2 else "forward",
        )  # fmt: skip
        inputs = [
            helper.make_tensor_value_info(n, t, None)
            for n, t in (("X", 1), ("W", 1), ("R", 1), ("L", TensorProto.INT32))
        ]
        outs = [helper.make_tensor_value_info(n, 1, None) for n in names]
        graph = helper.make_graph([node], "one", inputs, outs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        feed = {"X": x, "W": w, "R": r, "L": np.asarray(lengths, np.int32)}
        return list(session.run(None, feed))

    given = x if layout else np.ascontiguousarray(x.swapaxes(0, 1))
    returned = dict(zip(names, run(w, r, given, lengths, layout), strict=True))

    def final(way: int, read: Any) -> tuple[Any, Any]:
        one = slice(way, way + 1)
        outs = run(w[one], r[one], np.ascontiguousarray(read.swapaxes(0, 1)), [read.shape[1]], 0)
        return outs[1][0], outs[-1][0]

    check("onnx", cell, both, lengths, x, final, returned, batch_first=bool(layout))


def flax_cases(cell: Cell, both: bool, lengths: tuple[int, ...], x: Any) -> None:
    import flax.linen as nn
    import jax

    kind = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn_tanh": nn.SimpleCell}[cell]
    forward = nn.RNN(kind(UNITS), return_carry=True, name="one" if both else None)
    if both:
        backward = nn.RNN(kind(UNITS), return_carry=True, name="two")
        layer = nn.Bidirectional(forward, backward, return_carry=True)
    else:
        layer = forward
    seq = np.array(lengths)
    variables = layer.init(jax.random.key(0), x, seq_lengths=seq)
    carry, outputs = layer.apply(variables, x, seq_lengths=seq)
    tree = variables["params"]
    if both:
        cells = [tree[name]["cell"] for name in ("forward_rnn", "backward_rnn")]
    else:
        cells = [tree["cell"]]

    def final(way: int, read: Any) -> tuple[Any, Any]:
        module = kind(UNITS)
        state = module.initialize_carry(jax.random.key(0), (1, FEATURES))
        for step in range(read.shape[1]):
            state, _ = module.apply({"params": cells[way]}, state, read[:, step])
        c, h = state if cell == "lstm" else (None, state)
        return h, c

    check("flax", cell, both, lengths, x, final, {"outputs": outputs, "carry": carry})


if __name__ == "__main__":
    inputs = np.random.default_rng(0).normal(size=(2, STEPS, FEATURES)).astype(np.float32)
    for lengths in ((STEPS, STEPS), LENGTHS):
        for both in (False, True):
            for cell in ("lstm", "gru", "rnn_tanh"):
                keras_cases(cell, both, lengths, inputs)  # type: ignore[arg-type]
                flax_cases(cell, both, lengths, inputs)  # type: ignore[arg-type]
                for layout in (0, 1):
                    try:
                        onnx_cases(cell, both, lengths, inputs, layout)  # type: ignore[arg-type]
                    except Exception as failure:
                        if layout == 0:
                            raise
                        print(f"onnx layout=1 does not run here: {str(failure)[:100]}")
