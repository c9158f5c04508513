"""The runs of recurrent layers that were seen, and what a model gets of what came out."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ._layer_run import LayerRun, cut


class RunLedger:
    """The runs of one run of a model, in order.

    Args:
        cutting: whether what recurrent layers give is cut from what they read.
    """

    def __init__(self, *, cutting: bool) -> None:
        self.cutting = cutting
        self.runs: list[LayerRun] = []

    def cut(self, tensor: Any) -> Any:
        """What came out, as a leaf where it is to be cut from what went in."""
        return cut(tensor) if self.cutting and isinstance(tensor, Tensor) else tensor

    def given(self, tensor: Any) -> Any:
        """What the model gets of a leaf: a copy, which it may write into."""
        return tensor.clone() if self.cutting and isinstance(tensor, Tensor) else tensor

    def add_cell(
        self, place: str, cell: str, input: Any, h_0: Any, c_0: Any, h_n: Any, c_n: Any
    ) -> None:
        """Write down one step of a cell; its states are cut already."""
        self.runs.append(
            LayerRun(
                len(self.runs),
                place,
                cell,
                True,
                1,
                1,
                True,
                None,
                input,
                h_0,
                c_0,
                None,
                h_n,
                c_n,
            )
        )
