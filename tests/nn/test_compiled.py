"""torch.compile and torch.export, in a process without the shape checks of the tests."""

import subprocess
import sys

import pytest

CODE = """
import torch
from unrolled import nn

torch.manual_seed(0)
layer = getattr(nn, {name!r})(3, 4, 2, bidirectional=True)
x = torch.randn(5, 2, 3)
expected, ragged = layer(x)[0], layer(x, lengths=[5, 3])[0]
compiled = torch.compile(layer, backend="aot_eager", fullgraph={fullgraph})
torch.testing.assert_close(compiled(x)[0], expected)
if not {fullgraph}:
    torch.testing.assert_close(compiled(x, lengths=torch.tensor([5, 3]))[0], ragged)
compiled(x)[0].sum().backward()
exported = torch.export.export(layer, (x,))
torch.testing.assert_close(exported.module()(x)[0], expected)
print("same")
"""


@pytest.mark.parametrize(
    ("name", "fullgraph"), [("RNN", True), ("RNN", False), ("GRU", True), ("LSTM", True)]
)
def test_compiled_and_exported(name: str, fullgraph: bool) -> None:
    code = CODE.format(name=name, fullgraph=fullgraph)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "same", done.stderr
