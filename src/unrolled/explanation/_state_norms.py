"""How large each state of a run is."""

from __future__ import annotations

import numpy as np

from ..grid import StateAddress, StateGrid
from ._state_match import numbers_of


def state_norms(grid: StateGrid, sample: int = 0) -> dict[StateAddress, float]:
    """The Euclidean norm of each state of one sample, by address.

    Args:
        grid: the run, of PyTorch's tensors or of NumPy's arrays.
        sample: which sample; 0 for an unbatched run.
    """
    planes = {"hidden": grid.hidden, "cell": grid.cell}
    sizes = {
        kind: np.linalg.norm(numbers_of(plane[:, :, :, sample]), axis=-1)
        for kind, plane in planes.items()
        if plane is not None
    }
    rows = {direction: place for place, direction in enumerate(grid.directions)}
    return {
        address: float(sizes[address.kind][address.layer, rows[address.direction], address.step])
        for address in grid.addresses()
    }
