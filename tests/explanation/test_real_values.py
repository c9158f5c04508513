"""Each slot a report names holds, in a real run, the value of that very state."""

import pytest
import torch

from unrolled import nn
from unrolled.explanation import explain_shape

LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


@pytest.mark.parametrize("lengths", [None, [4, 2, 1]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize(("kind", "proj_size"), [("RNN", 0), ("GRU", 0), ("LSTM", 0), ("LSTM", 2)])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_slots_hold_what_they_say(kind, num_layers, bidirectional, proj_size, lengths):
    torch.manual_seed(0)
    projected = {"proj_size": proj_size} if proj_size else {}
    layer = LAYERS[kind](3, 4, num_layers, bidirectional=bidirectional, **projected)
    x = torch.randn(4, 3, 3)
    given = None if lengths is None else torch.tensor(lengths)
    states = layer.unroll(x, lengths=given)
    output, finals = layer(x, lengths=given)
    tensors = {"output": output}
    if kind == "LSTM":
        tensors["hidden_state"], tensors["cell_state"] = finals
    else:
        tensors["hidden_state"] = finals
    report = explain_shape(layer.shape, steps=4, lengths=lengths or [4, 4, 4])
    for sample, part in enumerate(report.parts):
        filled = {name: torch.zeros_like(tensor[:, sample]) for name, tensor in tensors.items()}
        for entry in part.states:
            for slot in entry.slots:
                columns = slice(*slot.columns)
                filled[slot.tensor][slot.index, columns] = states.at(entry.address)[sample]
        for name, tensor in tensors.items():
            torch.testing.assert_close(filled[name], tensor[:, sample], rtol=0, atol=1e-6)
