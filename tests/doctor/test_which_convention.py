"""Whose weights these are, held against runs of PyTorch's layers with their rows laid otherwise."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.doctor import which_convention
from unrolled.errors import UsageError

ORDERS = {
    "lstm": [(0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (0, 1, 3, 2)],
    "gru": [(0, 1, 2), (1, 0, 2)],
}
LETTERS = {"lstm": "ifgo", "gru": "rzn"}


def layer_of(cell: str) -> Any:
    torch.manual_seed(5)
    layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](3, 4, batch_first=True)
    layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2)
    return layer


def laid(parameter: torch.Tensor, order: tuple[int, ...]) -> np.ndarray[Any, Any]:
    blocks = parameter.detach().chunk(len(order))
    return torch.cat([blocks[gate] for gate in order]).numpy()


@pytest.mark.parametrize(
    ("cell", "order"), [(cell, order) for cell, orders in ORDERS.items() for order in orders]
)
@pytest.mark.parametrize("form", ["torch", "keras", "onnx", "row"])
def test_the_order_of_gates_is_found(cell: str, order: tuple[int, ...], form: str) -> None:
    layer = layer_of(cell)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    output = layer(x)[0].detach()
    w, u = laid(layer.weight_ih_l0, order), laid(layer.weight_hh_l0, order)
    b, r = laid(layer.bias_ih_l0, order), laid(layer.bias_hh_l0, order)
    weights: Any = {
        "torch": {"weight_ih_l0": w, "weight_hh_l0": u, "bias_ih_l0": b, "bias_hh_l0": r},
        "keras": {"kernel": w.T, "recurrent_kernel": u.T, "bias": np.stack([b, r])},
        "onnx": {"W": w[None], "R": u[None], "B": np.concatenate([b, r])[None]},
        "row": [w, u, b, r],
    }[form]
    found = which_convention(weights, (x, output))
    assert found.found
    assert found.best is not None
    assert "".join(found.best.order) == "".join(LETTERS[cell][gate] for gate in order)
    assert found.error < 1e-12
    assert " ".join(found.best.order) in repr(found)


def test_the_last_state_is_enough() -> None:
    layer = layer_of("lstm")
    x = torch.randn(3, 5, 3, dtype=torch.float64)
    _, (h_n, _) = layer(x)
    weights = [laid(p, (0, 3, 1, 2)) for p in layer.parameters()]
    found = which_convention(weights, (x, h_n[0]))
    assert found.best is not None
    assert "ONNX" in found.best.frameworks


def test_a_recurrent_matrix_that_is_transposed() -> None:
    layer = layer_of("rnn")
    x = torch.randn(3, 5, 3, dtype=torch.float64)
    w, u, b, r = (p.detach().numpy() for p in layer.parameters())
    found = which_convention([w, u.T, b, r], (x, layer(x)[0].detach()))
    assert found.found
    assert "transposed" in repr(found)


def test_nothing_fits() -> None:
    layer = layer_of("gru")
    x = torch.randn(3, 5, 3, dtype=torch.float64)
    found = which_convention(dict(layer.named_parameters()), (x, torch.rand(3, 5, 4)))
    assert not found.found
    assert repr(found).startswith("no known convention gives these samples")


@pytest.mark.parametrize(
    ("weights", "samples", "said"),
    [
        (3, (np.ones((1, 2, 3)), np.ones((1, 2, 4))), "weights are a int"),
        ([np.ones(3)], (np.ones((1, 2, 3)), np.ones((1, 2, 4))), "need a matrix"),
        ([np.ones((4, 3)), np.ones((4, 4))], (np.ones((1, 2, 3)),), "samples are 1 array"),
        (
            [np.ones((4, 9)), np.ones((4, 4))],
            (np.ones((1, 2, 3)), np.ones((1, 2, 4))),
            "no array fits inputs of size 3",
        ),
        (
            [np.ones((4, 3)), np.ones((4, 4))],
            (np.ones((1, 2, 3)), np.ones((1, 2, 7))),
            "fit no layer",
        ),
        (
            {"weight_ih_l0": np.ones((4, 3)), "weight_ih_l1": np.ones((4, 4))},
            (np.ones((1, 2, 3)), np.ones((1, 2, 4))),
            "several layers",
        ),
        (
            [np.full((4, 3), np.nan), np.ones((4, 4))],
            (np.ones((1, 2, 3)), np.ones((1, 2, 4))),
            "not finite",
        ),
    ],
)
def test_what_is_refused(weights: Any, samples: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        which_convention(weights, samples)
