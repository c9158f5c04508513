"""Figures in the documentation are those of the committed measurements."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    # Products at the peak, whose share of ours the table of speeds says, and 64 samples of 5 to 100
    # steps, evenly, in four rows of 256 units.
    rates = measured["limits"]["units_per_us"]["LSTM"]
    units = sum(int(5 + 95 * i / 63) for i in range(64)) * 4 * 256
    elementwise = 1e-3 * (units / rates["forward"] + units / rates["backward"])
    fewest = row["ms"]["ours"] * row["percent_of_peak"] / 100 + elementwise
    at_most = row["ratio"]["median"] * row["ms"]["ours"] / fewest
    assert float(found[6]) == pytest.approx(at_most, rel=0.005)


def test_a_figure_of_a_stream_is_that_of_the_measurement() -> None:
    measured = json.loads((RESULTS / "recurrent_layers.json").read_text("utf-8"))
    [row] = [
        row
        for row in measured["cases"]
        if (row["cell"], row["what"]) == ("LSTM", "stream") and "torch" in row["ms"]
    ]
    page = (ROOT / "docs" / "kernels.md").read_text("utf-8")
    table = page.partition("\n| beside PyTorch |")[2]
    found = re.search(r"^\| one step, stream \|.*\| ([\d.]+) \(([\d.]+)\) \|$", table, re.M)
    assert found is not None
    assert float(found[1]) == row["ratio"]["median"]
    # 4 MiB of weights, in nanoseconds, and the equations of two layers of 256 units.
    limits = measured["limits"]
    near = min(4096, limits["private_cache_kib"])
    fewest = 1024 * near / limits["private_cache_gbs"]
    fewest += 1024 * (4096 - near) / limits["shared_cache_gbs"]
    fewest += 1000 * 512 / limits["units_per_us"]["LSTM"]["forward"]
    at_most = row["ratio"]["median"] * 1e6 * row["ms"]["ours"] / fewest
    assert float(found[2]) == pytest.approx(at_most, rel=0.005)


def fewest_seconds(batch: int, steps: int, *, training: bool = False, **more: Any) -> float:
    """Of two layers of a GRU of 5 units: 2 * 3 * 5 * 5 weights of the states, as many of inputs.

    On a machine that makes 2 operations and reads 4 bytes in a second, or 2 where cores share.
    """
    limits = {"gflops": 2e-9, "private_cache_gbs": 4e-9, "shared_cache_gbs": 2e-9, **more}
    case = runpy.run_path(str(ROOT / "benchmarks" / "layer_cases.py"))["Case"]("", batch, steps, 5)
    seconds: float = case.fewest_seconds("GRU", limits, training=training)
    return seconds


def test_the_least_time_of_products() -> None:
    assert fewest_seconds(1, 7) == pytest.approx(7 * (150 + 150))
    assert fewest_seconds(2, 7) == pytest.approx(2 * 7 * 300)
    # Back, the weights' and those of the states and of the second layer's input.
    assert fewest_seconds(2, 7, training=True) == pytest.approx(2 * 7 * (300 + 300 + 150 + 75))
    with pytest.raises(ValueError, match="no limit is known"):
        fewest_seconds(1, 7, training=True)


def test_the_least_time_of_a_step() -> None:
    """All weights fit, or 256 of the 300."""
    assert fewest_seconds(1, 1, private_cache_kib=2) == pytest.approx(300)
    assert fewest_seconds(1, 1, private_cache_kib=1) == pytest.approx(256 + 44 * 2)


def test_the_least_time_of_equations() -> None:
    """A unit's take a second, and half a second back."""
    rates = {"units_per_us": {"GRU": {"forward": 1e-6, "backward": 2e-6}}}
    for training, seconds in ((False, 1.0), (True, 1.5)):
        more = fewest_seconds(2, 7, training=training, **rates)
        more -= fewest_seconds(2, 7, training=training)
        assert more == pytest.approx(2 * 7 * 10 * seconds)


@pytest.mark.skipif(
    shutil.which("g++") is None, reason="there is no g++; runs where it is, as in CI"
)
def test_the_limits_are_of_the_equations_that_there_are() -> None:
    """Their source is compiled by the benchmark only, from the kernels'."""
    command = runpy.run_path(str(ROOT / "benchmarks" / "machine_limits.py"))["COMPILE"]
    subprocess.run([*command, "-fsyntax-only"], check=True)


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
