"""The picture of a grid for notebooks."""

from collections.abc import Iterable
from html import escape

from ._address import Direction, StateAddress
from ._picture import Picture, PictureCell, PictureRow, PictureSample, PictureTensor
from ._text import picture_text

# Half-transparent tints of one blue and one orange over whatever the page has, so that the same
# colours are readable in a light and in a dark notebook. Divs, since notebooks style tables.
_STYLE = """
.unrolled-grid-text { display: none; }
.unrolled-grid { display: block !important; font: 13px/1.4 system-ui, sans-serif; color: inherit;
  overflow-x: auto; --output: #3b82f6; --final: #ea7317; }
.unrolled-grid .states { display: grid; width: max-content; gap: 4px; align-items: center;
  margin: 8px 0; }
.unrolled-grid .wide { grid-column: 1 / -1; width: 0; min-width: 100%; white-space: nowrap; }
.unrolled-grid .plane { font-weight: 600; margin-top: 6px; }
.unrolled-grid .label { box-sizing: border-box; padding: 0 10px 0 14px; opacity: .8; }
.unrolled-grid .number { text-align: center; font-size: 11px; opacity: .8; }
.unrolled-grid .length { padding-left: 10px; opacity: .8; }
.unrolled-grid .state { box-sizing: border-box; width: 26px; height: 20px; border-radius: 4px;
  border: 1px solid rgba(128, 128, 128, .55); background-color: rgba(128, 128, 128, .08); }
.unrolled-grid .pad { border-style: dashed; border-color: rgba(128, 128, 128, .4);
  background: none; }
.unrolled-grid .gap { text-align: center; opacity: .8; }
.unrolled-grid .output { border-top: 4px solid var(--output);
  background-color: rgba(59, 130, 246, .28); }
.unrolled-grid .final { background-color: rgba(234, 115, 23, .38); }
.unrolled-grid .final.forward { border-right: 4px solid var(--final); }
.unrolled-grid .final.reverse { border-left: 4px solid var(--final); }
.unrolled-grid .output.final { background: linear-gradient(to bottom right,
  rgba(59, 130, 246, .28) 50%, rgba(234, 115, 23, .38) 50%); }
.unrolled-grid .output.final.reverse { background: linear-gradient(to bottom left,
  rgba(59, 130, 246, .28) 50%, rgba(234, 115, 23, .38) 50%); }
.unrolled-grid .key { display: grid; grid-template-columns: max-content max-content 1fr;
  gap: 4px 12px; align-items: center; margin-top: 12px; }
.unrolled-grid .key code { background: none; color: inherit; padding: 0; }
.unrolled-grid .meaning { opacity: .8; }
"""
_ARROW: dict[Direction, str] = {"forward": "forward →", "reverse": "reverse ←"}
_MEANING = {
    "output": "the last layer at every step",
    "hidden_state": "every layer at the last step computed",
    "cell_state": "the c beside each hidden_state",
}
_SWATCH = {"output": "state output", "hidden_state": "state final forward"}


def picture_html(picture: Picture) -> str:
    """A picture as HTML that stands alone: addresses on hover, readable in light and dark.

    Where a notebook is not trusted its style sheets are dropped; the plain text shows instead.

    Args:
        picture: of a run.
    """
    columns = f"grid-template-columns: max-content repeat({len(picture.steps)}, 26px) max-content"
    numbers = "".join(_number(step) for step in picture.steps)
    body = "".join(_rows(picture.rows))
    if picture.samples:
        above = f"above: sample {picture.drawn}. The top forward row of each sample"
        body += f'<div class="wide plane">{above}</div>'
        body += "".join(map(_sample, picture.samples))
    if picture.samples_left_out:
        body += f'<div class="wide label">… {escape(picture.samples_left_out)}</div>'
    return (
        f"<style>{_STYLE}</style>"
        f'<pre class="unrolled-grid-text">{escape(picture_text(picture))}</pre>'
        '<div class="unrolled-grid" style="display: none">'
        f"<div><b>StateGrid</b>: {escape(picture.heading)}</div>"
        f'<div class="states" style="{columns}">'
        f'<div class="label">step</div>{numbers}<div></div>{body}</div>'
        f'<div class="key">{"".join(map(_key, picture.tensors))}</div></div>'
    )


def _number(step: int | None) -> str:
    return f'<div class="number">{"…" if step is None else step}</div>'


def _rows(rows: Iterable[PictureRow]) -> Iterable[str]:
    direction = None
    for row in rows:
        if row.direction != direction:
            direction = row.direction
            yield f'<div class="wide plane">{_ARROW[direction]}</div>'
        if row.layer is None:
            yield '<div class="wide label">⋮</div>'
            continue
        yield f'<div class="label">layer {row.layer}</div>'
        for cell in row.cells:
            if cell.step is None:
                yield _cell(cell, row.direction, "")
            else:
                address = StateAddress("hidden", row.layer, row.direction, cell.step)
                yield _cell(cell, row.direction, str(address))
        yield "<div></div>"


def _sample(sample: PictureSample) -> str:
    cells = "".join(
        _cell(cell, "forward", f"sample {sample.sample}, step {cell.step}") for cell in sample.cells
    )
    return (
        f'<div class="label">sample {sample.sample}</div>{cells}'
        f'<div class="length">length {sample.length}</div>'
    )


def _cell(cell: PictureCell, direction: Direction, name: str) -> str:
    if cell.step is None:
        return '<div class="gap">…</div>'
    if not cell.real:
        return f'<div class="state pad" title="step {cell.step}: padding"></div>'
    tensors = [("output", cell.in_output), ("hidden_state", cell.in_hidden_state)]
    held = [tensor for tensor, holds in tensors if holds]
    classes = ["state", *("final" if tensor == "hidden_state" else tensor for tensor in held)]
    if cell.in_hidden_state:
        classes.append(direction)
    title = escape(f"{name}: in {' and '.join(held) or 'neither tensor'}")
    return f'<div class="{" ".join(classes)}" title="{title}"></div>'


def _key(tensor: PictureTensor) -> str:
    axes = ", ".join(f"{axis} {size}" for axis, size in zip(tensor.axes, tensor.shape, strict=True))
    return (
        f'<div class="{_SWATCH.get(tensor.name, "")}"></div>'
        f"<div><code>{tensor.name}</code> <span>({escape(axes)})</span></div>"
        f'<div class="meaning">{_MEANING[tensor.name]}</div>'
    )
