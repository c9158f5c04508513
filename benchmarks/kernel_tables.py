"""The tables of docs/kernels.md from the committed measurements, and these as a line of JSON.

    python benchmarks/kernel_tables.py

writes them into the page; a table is known by its first line, and a new one comes last.
"""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from layer_cases import SMALL, STREAM, Case

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "kernels.md"
CELLS = ("GRU", "RNN", "LSTM")
# What was measured on other machines lies in a folder for each.
OTHERS = {"xeon": "an Intel Xeon", "avx2": "a machine with AVX2"}
NAMES = ("panel_product", "recurrent_layers", "recurrent_claims", "low_precision")


def main() -> None:
    page = PAGE.read_text("utf-8")
    for table in tables():
        head = table.partition("\n")[0] + "\n"
        if head not in page:
            page += f"\n{table}"
            continue
        before, _, rest = page.partition(head)
        lines = rest.splitlines(keepends=True)
        while lines and lines[0].startswith("|"):
            del lines[0]
        page = before + table + "".join(lines)
    PAGE.write_text(page, "utf-8")
    print(json.dumps({name: result(name) for name in NAMES}))


def result(name: str, machine: str = "") -> Any:
    """What was measured, on the machine of the page or on another, in a folder of its own."""
    return json.loads((RESULTS / machine / f"{name}.json").read_text("utf-8"))


def tables() -> list[str]:
    """All of the page, in Markdown."""
    layers = result("recurrent_layers")
    shown = _beside_peers(layers, "")
    shown.append(_table("GFLOP/s, percent of the peak", _speeds(_rows(layers["cases"], "torch"))))
    shown.append(_table("weights, case", _low_precision(result("low_precision")["cases"])))
    claims = result("recurrent_claims")
    shown.append(_table("what else is claimed", _claims(claims)))
    shown += [_beside_torch(claims, isa, "") for isa in ("avx2", "baseline")]
    for machine, name in OTHERS.items():
        shown += _beside_peers(result("recurrent_layers", machine), f"on {name}, ")
    xeon = f"on {OTHERS['xeon']}"
    shown.append(_beside_torch(result("recurrent_claims", "xeon"), "avx2", f"{xeon}, "))
    low = result("low_precision", "xeon")["cases"]
    shown.append(_table(f"weights, case, {xeon}", _low_precision(low)))
    return shown


def _beside_torch(claims: dict[str, Any], isa: str, where: str) -> str:
    """With an instruction set that is forced."""
    rows = [row for row in claims["instruction_sets"] if row["isa"] == isa]
    return _table(f"{where}{isa}, beside PyTorch", _ratios(_rows(rows, "torch"), _ratio))


def _beside_peers(layers: dict[str, Any], where: str) -> list[str]:
    """How many times as fast as each peer."""
    return [
        _table(
            f"{where}beside {name}",
            _ratios(_rows(layers["cases"], peer), lambda row: _and_at_most(row, layers["limits"])),
        )
        for peer, name in (("torch", "PyTorch"), ("onnxruntime", "onnxruntime"))
    ]


def _rows(cases: list[dict[str, Any]], peer: str) -> dict[str, dict[str, Any]]:
    """By what is run, the row of each cell."""
    found: dict[str, dict[str, Any]] = {}
    for row in cases:
        if peer in row["ms"]:
            name = f"{row['name']}, {row.get('what', 'inference')}"
            found.setdefault(name, {})[row["cell"]] = row
    return found


def _ratios(
    rows: dict[str, dict[str, Any]], shown: Callable[[dict[str, Any]], str]
) -> dict[str, list[str]]:
    return {name: [shown(row[cell]) for cell in CELLS] for name, row in rows.items()}


def _ratio(row: dict[str, Any]) -> str:
    return str(row["ratio"]["median"])


def _and_at_most(row: dict[str, Any], limits: dict[str, Any]) -> str:
    """In brackets, what it would be if only the machine were the limit."""
    ratio, training = row["ratio"]["median"], row["what"] == "training"
    case = Case(**{field.name: row[field.name] for field in fields(Case)})
    # Of a small layer the call takes long, and of the gradients of one sample all that is written.
    if case == SMALL or (training and case.batch == 1):
        return _ratio(row)
    if case == STREAM and "private_cache_kib" not in limits:
        return _ratio(row)
    fewest = case.fewest_seconds(row["cell"], limits, training=training)
    return f"{ratio} ({ratio * 1e-3 * row['ms']['ours'] / fewest:.2f})"


def _speeds(rows: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    return {
        name: [f"{row[cell]['gflops']:.0f}, {row[cell]['percent_of_peak']:.0f} %" for cell in CELLS]
        for name, row in rows.items()
        if name.endswith(("inference", "training")) and not name.startswith(f"{SMALL.name},")
    }


def _low_precision(cases: list[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, dict[str, str]] = {}
    for row in cases:
        of_case = found.setdefault(f"{row['precision']}, {row['name']}", {})
        of_case[row["cell"]] = f"{row['ratio']['median']} ({row['largest_error']})"
    return {name: [found[name][cell] for cell in CELLS] for name in sorted(found, reverse=True)}


def _claims(claims: dict[str, Any]) -> dict[str, list[str]]:
    def each(name: str, value: Any, **which: Any) -> list[str]:
        rows = {
            row["cell"]: row
            for row in claims[name]
            if all(row[key] == wanted for key, wanted in which.items())
        }
        return [value(rows[cell]) for cell in CELLS]

    shown = {}
    for what in ("inference", "training"):
        shown[f"large {what}, two threads over one"] = each(
            "threads", lambda row: str(row["ratio"]["median"]), what=what
        )
    for what in ("inference", "training"):
        shown[f"ragged {what}, time of a real step over that of a padded one"] = each(
            "ragged", lambda row: str(row["over_real_steps"]["median"]), what=what
        )
    shown["large training, MiB, ours and PyTorch's"] = each(
        "memory", lambda row: f"{row['mib']['ours']:.0f}, {row['mib']['torch']:.0f}"
    )
    for batch in (1, 16):
        shown[f"batch of {batch}, a step of 10,000 beside one of 100"] = each(
            "steps", lambda row: f"{row['drift_percent']:+.1f} %", batch=batch
        )
    return shown


def _table(title: str, rows: dict[str, list[str]]) -> str:
    lines = [f"| {title} | {' | '.join(CELLS)} |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(values)} |" for name, values in rows.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
