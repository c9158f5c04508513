"""Draws the grid pictures of the README and the docs, beside this file.

python docs/assets/draw_grid.py
"""

from pathlib import Path

from unrolled.explanation import explain_selection, explain_shape
from unrolled.grid import StackShape


def pictures() -> dict[str, str]:
    """File name and SVG of each picture."""
    lstm = explain_shape(StackShape("lstm", 1, 1, num_layers=2, bidirectional=True), steps=5)
    ragged = explain_shape(
        StackShape("gru", 1, 1, num_layers=2, bidirectional=True), steps=6, lengths=[6, 4]
    )
    selection = explain_selection(
        StackShape("lstm", 1, 128, num_layers=2, bidirectional=True),
        5,
        "output[:, -1]",
        batch_first=True,
    )
    return {
        "grid-light.svg": lstm.svg("light"),
        "grid-dark.svg": lstm.svg("dark"),
        "selection-light.svg": selection.svg("light"),
        "selection-dark.svg": selection.svg("dark"),
        "ragged-light.svg": ragged.svg("light"),
        "ragged-dark.svg": ragged.svg("dark"),
    }


if __name__ == "__main__":
    for name, svg in pictures().items():
        Path(__file__).with_name(name).write_text(svg, encoding="utf-8")
