"""Figures in the documentation are those of the committed measurements."""

import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def _benchmarks_can_import(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "layer_cases", raising=False)  # tests have one of that name
    yield
    sys.modules.pop("layer_cases", None)


@pytest.mark.usefixtures("_benchmarks_can_import")
def test_the_tables_of_kernels() -> None:
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    tables = runpy.run_path(str(ROOT / "benchmarks" / "kernel_tables.py"))["tables"]()
    assert len(tables) >= 12
    for table in tables:
        for ratio, at_most in re.findall(r"([\d.]+) \(([\d.]+)\)", table.partition("beside")[2]):
            assert float(at_most) > float(ratio)
        assert table.count("\n") > 3
        assert f"\n{table}" in page, "run: python benchmarks/kernel_tables.py"


def test_a_figure_of_the_tables_is_that_of_the_measurement() -> None:
    measured = json.loads((RESULTS / "recurrent_layers.json").read_text("utf-8"))
    [row] = [
        row
        for row in measured["cases"]
        if (row["cell"], row["name"], row["what"]) == ("LSTM", "ragged", "training")
    ]
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    number = r"([\d.]+) \(([\d.]+)\)"
    pattern = rf"^\| ragged, training \| {number} \| {number} \| {number} \|$"
    found = re.search(pattern, page, re.M)
    assert found is not None
    assert float(found[5]) == row["ratio"]["median"]
    # At the peak, whose share of ours the table of speeds says.
    at_peak = float(found[6]) * row["percent_of_peak"] / 100
    assert at_peak == pytest.approx(row["ratio"]["median"], abs=0.01)


def test_the_limits_of_a_machine() -> None:
    case = runpy.run_path(str(ROOT / "benchmarks" / "layer_cases.py"))["Case"]
    limits = {"gflops": 2e-9, "private_cache_gbs": 4e-9}  # 2 operations and 4 bytes a second
    # Two layers of a GRU: 2 * 3 * 5 * 5 weights of the states, and as many of the inputs.
    assert case("", 1, 7, 5).fewest_seconds("GRU", limits) == pytest.approx(7 * (150 + 150))
    assert case("", 2, 7, 5).fewest_seconds("GRU", limits) == pytest.approx(2 * 7 * 300)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_of_kernels(theme: str) -> None:
    assets = ROOT / "docs" / "assets"
    drawn = runpy.run_path(str(assets / "draw_kernels.py"))["pictures"]()[f"kernels-{theme}.svg"]
    committed = (assets / f"kernels-{theme}.svg").read_text("utf-8")
    assert committed == drawn, "run: python docs/assets/draw_kernels.py"


def test_the_table_of_low_precision() -> None:
    measured = json.loads((RESULTS / "low_precision.json").read_text("utf-8"))
    rows = {(row["precision"], row["name"], row["cell"]): row for row in measured["cases"]}
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    number = r"([\d.]+) \(([\de.-]+)\) +\| "
    pattern = rf"^\| (int8|bf16), (.+?) +\| {number}{number}([\d.]+) \(([\de.-]+)\) +\|$"
    table = page.partition("\n| weights, case |")[2].partition("\n\n")[0]
    found = re.findall(pattern, table, re.M)
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
