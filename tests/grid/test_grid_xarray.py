import builtins
from typing import Any

import numpy as np
import pytest
import torch
import xarray
from coded_grids import Run, code, runs
from hypothesis import given

from unrolled.grid import StateGrid


@given(runs())
def test_finds_each_state_by_the_names_of_its_address(run: Run) -> None:
    grid = run.grid(torch)
    dataset = grid.to_xarray()
    assert isinstance(dataset, xarray.Dataset)
    assert "batch" in dataset.dims if run.batch is not None else "batch" not in dataset.dims
    for address in grid.addresses():
        values = dataset[address.kind].sel(
            layer=address.layer, direction=address.direction, step=address.step
        )
        for sample in range(run.samples):
            mine = values if run.batch is None else values.isel(batch=sample)
            where = mine.coords["mask"]
            assert bool(where) == (address.step < run.real[sample])
            assert int(mine.coords["length"]) == run.real[sample]
            if where:
                assert mine.values.tolist() == code(address, sample)


def test_selects_real_steps_by_the_mask() -> None:
    dataset = Run(1, 1, 3, [3, 1], 2, False).grid().to_xarray()
    real = dataset.hidden.where(dataset.mask)
    assert int(real.notnull().any("hidden_unit").sum()) == 3 + 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_takes_tensors_that_need_gradients(dtype: torch.dtype) -> None:
    hidden = torch.full((1, 1, 2, 1, 3), 1.5, dtype=dtype, requires_grad=True)
    dataset = StateGrid(hidden).to_xarray()
    assert "cell" not in dataset
    assert np.array_equal(dataset.hidden.values, np.full((1, 1, 2, 1, 3), 1.5))


def test_says_how_to_get_xarray(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_import = builtins.__import__

    def without_xarray(name: str, *rest: Any) -> Any:
        if name == "xarray":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return plain_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_xarray)
    with pytest.raises(ModuleNotFoundError) as refusal:
        Run(1, 1, 3, None, 2, False).grid().to_xarray()
    assert str(refusal.value) == (
        "StateGrid.to_xarray needs xarray, which is not installed: pip install xarray."
    )
    assert refusal.value.name == "xarray"
