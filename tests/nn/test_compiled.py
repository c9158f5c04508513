"""torch.compile and torch.export, in a process without the shape checks of the tests."""

import json
import subprocess
import sys

# One process for all cases: most of the time goes into PyTorch's compiler starting up.
CODE = """
import json
import sys
import traceback

import torch
from unrolled import nn


def check(name, fullgraph):
    torch.manual_seed(0)
    layer = getattr(nn, name)(3, 4, 2, bidirectional=True)
    x = torch.randn(5, 2, 3)
    expected, ragged = layer(x)[0], layer(x, lengths=[5, 3])[0]
    unlike = layer(x, lengths=[4, 5])[0]
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=fullgraph)
    torch.testing.assert_close(compiled(x)[0], expected)
    torch.testing.assert_close(compiled(x, lengths=torch.tensor([5, 3]))[0], ragged)
    torch.testing.assert_close(compiled(x, lengths=torch.tensor([4, 5]).int())[0], unlike)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, lengths=torch.tensor([5, 5]))[0], expected)
    if not fullgraph:
        torch.testing.assert_close(compiled(x, lengths=[5, 3])[0], ragged)
    compiled(x, lengths=torch.tensor([5, 3]))[0].sum().backward()
    found = [weight.grad.clone() for weight in layer.parameters()]
    layer.zero_grad()
    layer(x, lengths=[5, 3])[0].sum().backward()
    for gradient, weight in zip(found, layer.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad)
    exported = torch.export.export(layer, (x,))
    torch.testing.assert_close(exported.module()(x)[0], expected)
    lengths = torch.tensor([5, 5])
    exported = torch.export.export(layer, (x, None), {"lengths": lengths})
    torch.testing.assert_close(exported.module()(x, None, lengths=torch.tensor([5, 3]))[0], ragged)
    if fullgraph:
        check_refusals((compiled, layer), x)


def check_refusals(runs, x):
    for wrong, message in (
        ([5, 0], "the length of sample 1 is 0; it must be between 1 and the number of steps, 5."),
        ([6, 1], "the length of sample 0 is 6; it must be between 1 and the number of steps, 5."),
    ):
        for run in runs:
            try:
                run(x, lengths=torch.tensor(wrong))
            except ValueError as error:
                assert str(error) == message, error
            else:
                raise RuntimeError("nothing was refused")


said = []
for case in json.loads(sys.argv[1]):
    try:
        check(*case)
    except Exception:
        said.append(traceback.format_exc())
    else:
        said.append("same")
print(json.dumps(said))
"""
CASES = [("RNN", True), ("RNN", False), ("GRU", True), ("LSTM", True)]


def test_compiled_and_exported() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, json.dumps(CASES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = dict(zip(CASES, json.loads(done.stdout), strict=True))
    assert said == dict.fromkeys(CASES, "same")
