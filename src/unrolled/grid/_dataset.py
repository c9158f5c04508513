"""A grid with named axes, for xarray."""

from typing import Any

import numpy as np

from ._array import to_numpy


def grid_dataset(grid: Any) -> Any:
    """The arrays of a `StateGrid` as an `xarray.Dataset`.

    Args:
        grid: a `StateGrid`.

    Raises:
        ModuleNotFoundError: xarray is not installed.
    """
    try:
        import xarray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "StateGrid.to_xarray needs xarray, which is not installed: pip install xarray.",
            name="xarray",
        ) from error
    axes = ("layer", "direction", "step", "batch")
    variables = {"hidden": ((*axes, "hidden_unit"), to_numpy(grid.hidden))}
    if grid.cell is not None:
        variables["cell"] = ((*axes, "cell_unit"), to_numpy(grid.cell))
    dataset = xarray.Dataset(
        variables,
        coords={
            "layer": np.arange(grid.num_layers),
            "direction": list(grid.directions),
            "step": np.arange(grid.steps),
            "length": ("batch", grid.lengths),
            "mask": (("step", "batch"), np.arange(grid.steps)[:, None] < grid.lengths),
        },
    )
    return dataset if grid.batched else dataset.isel(batch=0)
