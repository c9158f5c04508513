"""The folder imports NumPy and nothing else, and works where there is no PyTorch."""

import subprocess
import sys

PREVENT = """
import sys
for name in ("torch", "xarray", "jaxtyping"):
    sys.modules[name] = None  # importing it now fails
"""
USE = """
import numpy as np
from unrolled.grid import Layout, StackShape, StateAddress, StateGrid
grid = StateGrid(np.ones((2, 2, 3, 2, 4)), np.ones((2, 2, 3, 2, 4)), lengths=[3, 1])
assert grid.output.shape == (3, 2, 8) and grid.cell_state.shape == (4, 2, 4)
assert grid.output[2, 1].tolist() == [0] * 8
repr(grid), grid._repr_html_(), grid.mask, list(grid), list(grid.layout.output)
"""
IMPORTED = """
import sys
import numpy
numpy_brings = set(sys.modules)
import unrolled.grid
found = {name.partition(".")[0] for name in set(sys.modules) - numpy_brings}
print(*sorted(found - set(sys.stdlib_module_names) - {"unrolled", "numpy"}))
"""


def _python(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_works_without_pytorch() -> None:
    _python(PREVENT + USE)


def test_imports_nothing_else() -> None:
    assert _python(IMPORTED).split() == []
