"""Figures in the documentation are those of the committed measurements."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def test_the_table_of_recurrent_layers() -> None:
    measured = json.loads((RESULTS / "recurrent_layers.json").read_text("utf-8"))
    medians = {
        (row["name"], row["what"], row["cell"]): row["ratio"]["median"]
        for row in measured["cases"]
        if "torch" in row["ms"]
    }
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+), (.+?) +\| ([\d.]+) +\| ([\d.]+) +\| ([\d.]+) +\|$", page, re.M)
    assert len(rows) == 13
    for name, what, *figures in rows:
        for cell, figure in zip(("GRU", "RNN", "LSTM"), figures, strict=True):
            assert float(figure) == medians[name, what, cell], (name, what, cell)


def test_the_table_of_low_precision() -> None:
    measured = json.loads((RESULTS / "low_precision.json").read_text("utf-8"))
    rows = {(row["precision"], row["name"], row["cell"]): row for row in measured["cases"]}
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    number = r"([\d.]+) \(([\de.-]+)\) +\| "
    pattern = rf"^\| (int8|bf16), (.+?) +\| {number}{number}([\d.]+) \(([\de.-]+)\) +\|$"
    found = re.findall(pattern, page, re.M)
    assert len(found) == 6
    for precision, name, *figures in found:
        pairs = zip(figures[::2], figures[1::2], strict=True)
        for cell, (ratio, error) in zip(("GRU", "RNN", "LSTM"), pairs, strict=True):
            row = rows[precision, name, cell]
            assert float(ratio) == row["ratio"]["median"], (precision, name, cell)
            assert float(error) == row["largest_error"], (precision, name, cell)


def test_the_figures_beside_yoyodyne() -> None:
    measured = json.loads((RESULTS / "encoder_decoder_vs_yoyodyne.json").read_text("utf-8"))
    page = (ROOT / "docs" / "encoder-decoder.md").read_text("utf-8")
    for name, key in (
        ("training", "training"),
        ("training with input feeding", "training_input_feeding"),
        ("greedy decoding", "greedy"),
        ("beam of 5", "beam_5"),
    ):
        found = re.search(rf"^\| {name} +\| ([\d.]+) +\| ([\d.]+) +\| ([\d.]+) +\|$", page, re.M)
        assert found is not None, name
        row = measured[key]
        assert [float(figure) for figure in found.groups()] == [
            row["ours_words_per_second"]["median"],
            row["yoyodyne_words_per_second"]["median"],
            row["ratio"]["median"],
        ]
