"""Writes the golden pictures anew: look at the diff before it is committed."""

from pathlib import Path

from example_grids import examples

GOLDENS = Path(__file__).with_name("goldens")

if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    for name, grid in examples().items():
        (GOLDENS / f"{name}.txt").write_text(f"{grid!r}\n", encoding="utf-8")
