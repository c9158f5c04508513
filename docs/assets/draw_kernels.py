"""Draws the picture of docs/kernels.md, beside this file, from the committed measurements.

python docs/assets/draw_kernels.py
"""

import io
import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "recurrent_layers.json"
CELLS = ("GRU", "RNN", "LSTM")
MARKERS = ("o", "s", "^")
# Text, lines and the colours of the cells.
THEMES = {
    "light": ("#1f2328", "#d0d7de", ("#0969da", "#bc4c00", "#1a7f37")),
    "dark": ("#e6edf3", "#3d444d", ("#58a6ff", "#f0883e", "#56d364")),
}
# Of the point, where the name stands: three are neighbours. Of a small layer the call is the limit.
SIDES = {"middle": -1, "ragged": 1, "large": 0, "one sample": 0}
ROOFS = {
    "private_cache_gbs": "256 KiB a thread",
    "shared_cache_gbs": "4 MiB a thread",
    "memory_gbs": "256 MiB a thread",
}


def pictures() -> dict[str, str]:
    """File name and SVG of each picture."""
    measured = json.loads(RESULT.read_text("utf-8"))
    return {f"kernels-{theme}.svg": _draw(measured, theme) for theme in THEMES}


def _draw(measured: dict[str, Any], theme: str) -> str:
    text, line, _ = THEMES[theme]
    settings = {
        "svg.hashsalt": "unrolled",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), text),
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(9, 7), layout="constrained")
        top, bottom = figure.add_gridspec(2, 1, height_ratios=(1, 1.25))
        left, right = top.subgridspec(1, 2, width_ratios=(9, 4)).subplots(sharey=True)
        _bars(left, measured["cases"], "torch", theme)
        _bars(right, measured["cases"], "onnxruntime", theme)
        left.set_ylabel("times as fast")
        left.legend(frameon=False, ncols=3, loc="upper left")
        _roofline(figure.add_subplot(bottom), measured, theme)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(row.rstrip() for row in file.getvalue().splitlines()) + "\n"


def _bars(axes: Axes, cases: list[dict[str, Any]], peer: str, theme: str) -> None:
    text, line, colours = THEMES[theme]
    rows = [row for row in cases if peer in row["ms"] and row["what"] != "every state"]
    names = list(dict.fromkeys((row["what"], row["name"]) for row in rows))
    names.sort(key=lambda name: ("inference", "training", "stream").index(name[0]))
    for number, (cell, colour) in enumerate(zip(CELLS, colours, strict=True)):
        ratios = {(row["what"], row["name"]): row["ratio"] for row in rows if row["cell"] == cell}
        heights = [ratios[name]["median"] for name in names]
        spread = [
            [ratio["median"] - ratio["min"] for ratio in map(ratios.get, names)],
            [ratio["max"] - ratio["median"] for ratio in map(ratios.get, names)],
        ]
        places = [place + 0.27 * (number - 1) for place in range(len(names))]
        axes.bar(places, heights, 0.25, color=colour, label=cell)
        axes.errorbar(places, heights, spread, fmt="none", ecolor=text, elinewidth=0.6)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n") for _, name in names], fontsize=7)
    for what in dict.fromkeys(what for what, _ in names):
        places_of_kind = [place for place, name in enumerate(names) if name[0] == what]
        middle = sum(places_of_kind) / len(places_of_kind)
        below = axes.get_xaxis_transform()
        axes.text(middle, -0.19, what, fontsize=8, ha="center", va="top", transform=below)
    axes.tick_params(length=0)
    axes.axhline(1, color=text, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=line, linewidth=0.5)
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.25, 96)
    axes.set_yticks([0.5, 1, 2, 4, 8, 16, 32], ["½", "1", "2", "4", "8", "16", "32"])
    axes.set_title(f"Beside {'PyTorch' if peer == 'torch' else peer}", fontsize=10)


def _roofline(axes: Axes, measured: dict[str, Any], theme: str) -> None:
    text, line, colours = THEMES[theme]
    peak, ends = measured["limits"]["gflops"], (0.25, 128.0)
    axes.loglog(ends, (peak, peak), color=text, linewidth=1)
    axes.text(ends[1], peak * 1.06, f"{peak:.0f} GFLOP/s", ha="right", va="bottom", fontsize=8)
    for key, name in ROOFS.items():
        rate = measured["limits"][key]
        corner = peak / rate
        axes.plot((ends[0], corner), (ends[0] * rate, peak), color=text, linewidth=0.8, ls="--")
        # The next roof is close below, and the points of one sample are close above.
        is_above = key == "private_cache_gbs"
        start = 0.27 if is_above else 0.62
        axes.text(
            start,
            start * rate * (1.4 if is_above else 0.95),
            f"{name}: {rate:.0f} GB/s",
            fontsize=8,
            rotation=31,
            rotation_mode="anchor",
            va="bottom" if is_above else "top",
        )
    for cell, colour, marker in zip(CELLS, colours, MARKERS, strict=True):
        rows = [row for row in measured["cases"] if row["cell"] == cell and "flops_per_byte" in row]
        rows = [row for row in rows if row["name"] in SIDES]
        places = [row["flops_per_byte"] for row in rows]
        heights = [row["gflops"] for row in rows]
        axes.plot(places, heights, marker, color=colour, label=cell, markersize=6)
        if cell == "RNN":  # the lowest, and so the one with room below
            for row in rows:
                side = SIDES[row["name"]]
                axes.annotate(
                    row["name"],
                    (row["flops_per_byte"], row["gflops"]),
                    (8 * side, -14),
                    textcoords="offset points",
                    ha={-1: "right", 0: "center", 1: "left"}[side],
                    fontsize=8,
                )
    axes.set_xlim(*ends)
    axes.set_ylim(bottom=5, top=peak * 1.6)
    axes.grid(color=line, linewidth=0.4)
    axes.legend(frameon=False, loc="lower right")
    axes.set_xticks([0.5, 1, 2, 4, 8, 16, 32, 64], ["½", "1", "2", "4", "8", "16", "32", "64"])
    axes.set_yticks([10, 20, 50, 100, 200], ["10", "20", "50", "100", "200"])
    axes.minorticks_off()
    axes.set_xlabel("operations for a byte that is read or written, all weights once for a step")
    axes.set_ylabel("GFLOP/s")
    axes.set_title("Inference under the roofs of this machine, two threads", fontsize=10)


if __name__ == "__main__":
    for name, svg in pictures().items():
        Path(__file__).with_name(name).write_text(svg, encoding="utf-8")
