"""The picture of a grid for notebooks."""

from html import escape
from typing import Any

from ._picture import PictureCell, PictureRow, grid_heading, grid_note, picture_rows, picture_steps

_STYLE = """
.unrolled-grid { font: 13px/1.4 system-ui, sans-serif; color: inherit; }
.unrolled-grid table { border-collapse: separate; border-spacing: 3px; margin: 4px 0; }
.unrolled-grid th { font-weight: 500; text-align: right; padding: 0 6px; opacity: .75;
  background: none; border: 0; }
.unrolled-grid td { width: 22px; height: 18px; border-radius: 4px; padding: 0;
  background: color-mix(in srgb, currentColor 10%, transparent); }
.unrolled-grid td.pad { background: none; border: 1px dashed
  color-mix(in srgb, currentColor 25%, transparent); }
.unrolled-grid td.gap { background: none; text-align: center; }
.unrolled-grid .output { background: #3b82c4; }
.unrolled-grid .final { background: #d97706; }
.unrolled-grid .output.final { background: linear-gradient(135deg, #3b82c4 50%, #d97706 50%); }
.unrolled-grid i { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
  margin: 0 4px 0 12px; vertical-align: -1px; }
"""
_ARROW = {"forward": "forward →", "reverse": "← reverse"}


def grid_html(grid: Any) -> str:
    """A table of a `StateGrid` with its addresses on hover; self-contained, light and dark.

    Args:
        grid: a `StateGrid`.
    """
    length = int(grid.lengths.max(initial=0)) or grid.steps
    rows = picture_rows(
        num_layers=grid.num_layers, directions=grid.directions, steps=grid.steps, length=length
    )
    numbers = "".join(
        f'<th scope="col">{"…" if step is None else step}</th>'
        for step in picture_steps(grid.steps)
    )
    body = "".join(_row(row, first=n % grid.num_layers == 0) for n, row in enumerate(rows))
    note = grid_note(grid)
    return (
        f'<div class="unrolled-grid"><style>{_STYLE}</style>'
        f"<div>StateGrid: {escape(grid_heading(grid))}</div>"
        f'<table><tr><th></th><th scope="row">step</th>{numbers}</tr>{body}</table>'
        '<div><i class="output" style="margin-left:0"></i>output'
        '<i class="final"></i>hidden_state<i class="output final"></i>both</div>'
        f"{f'<div>{escape(note)}</div>' if note else ''}</div>"
    )


def _row(row: PictureRow, *, first: bool) -> str:
    direction = _ARROW[row.direction] if first else ""
    cells = "".join(_cell(row, cell) for cell in row.cells)
    return f'<tr><th>{direction}</th><th scope="row">layer {row.layer}</th>{cells}</tr>'


def _cell(row: PictureRow, cell: PictureCell) -> str:
    if cell.step is None:
        return '<td class="gap">…</td>'
    if not cell.real:
        return '<td class="pad" title="padding"></td>'
    classes = [
        name for name, held in (("output", cell.in_output), ("final", cell.in_hidden_state)) if held
    ]
    address = f"h[layer={row.layer}, {row.direction}, step={cell.step}]"
    return f'<td class="{" ".join(classes)}" title="{address}"></td>'
