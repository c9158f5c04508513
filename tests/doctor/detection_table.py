"""Writes docs/doctor-detection.md: `python tests/doctor/detection_table.py`.

Runs the doctor on the whole corpus. The tests hold each verdict, and the page, to the same.
"""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

from known_faults import KNOWN_FAULTS

from models import CORRECT, PAIRS, Case

PAGE = Path(__file__).parents[2] / "docs" / "doctor-detection.md"

INTRODUCTION = """# What the doctor finds

The tests run `unrolled.diagnose` on {wrong} wrong models, on the same models with the repair, and
on {correct} correct models of other kinds, all small and untrained. A wrong model counts as found
when its code is found at the right submodule and nothing untrue is called an error; a correct one
is clean when nothing worse than a note is found. The models are in `tests/doctor/models`;
`python tests/doctor/detection_table.py` writes this page, and the tests hold it to what they find.

The doctor was mended with these models at hand: the figures say what it finds, not how it fares on
models that it has never seen.
"""

MISTAKES = {
    "M01": "`output[:, -1]` of a bidirectional layer taken for the last state",
    "M02": "the reverse half gathered at `length - 1` in a ragged batch",
    "M03": "`h_n.view(batch, -1)` mixes the samples",
    "M04": "a latent viewed into the initial state",
    "M05": "a bridge flattens layers or directions with `view`",
    "M06": "the first rows of `h_n` taken for the forward ones",
    "M07": "`batch_first` forgotten",
    "M08": "`view` used as a transpose on the input",
    "M09": "sequence length 1 by accident",
    "M10": "padding leaks into the final state or a pooled result",
    "M11": "padding at the left is fed as symbols",
    "M12": "a length off by one",
    "M13": "sorted for packing, never unsorted",
    "M14": "`pad_packed_sequence` without the same `batch_first`",
    "M15": "output cut to the longest length, masks or labels not",
    "M16": "cell state lost, or swapped with the hidden state",
    "M17": "the decoder's state is not fed back",
    "M18": "a bidirectional layer sees what it is to predict",
    "M19": "a random initial state at every call",
    "M20": "the state kept across unrelated batches",
    "M21": "a carried state that is not detached",
    "M22": "attention normalised over the wrong axis",
    "M23": "attention reads padding",
    "M24": "a reversed sequence not turned back",
    "M25": "weights converted with wrong gates, biases or reset",
    "M26": "`h_0` laid out batch first",
    "M27": "`dropout` given with one layer",
    "M28": "the mean over padded steps",
    "M29": "the output at END taken for the summary",
    "M30": "final states thrown away, the decoder started from nothing",
}


def render(faulty: AbstractSet[str]) -> str:
    """The page.

    Args:
        faulty: names of the cases that the doctor gets wrong.
    """
    wrong = [pair.wrong for pair in PAIRS]
    right = [pair.right for pair in PAIRS]
    lines = [
        INTRODUCTION.format(wrong=len(wrong), correct=len(CORRECT)),
        f"Found: {_share(wrong, faulty)} wrong models. Clean: {_share(right, faulty)} repaired",
        f"twins and {_share(CORRECT, faulty)} other correct models.",
        "",
        "| code | mistake | wrong models found | right twins clean |",
        "|---|---|---|---|",
    ]
    for code, mistake in MISTAKES.items():
        found = _share([case for case in wrong if case.code == code], faulty)
        clean = _share([pair.right for pair in PAIRS if pair.wrong.code == code], faulty)
        lines.append(f"| {code} | {mistake} | {found} | {clean} |")
    if faulty:
        lines += ["", "## What it gets wrong", ""]
        lines += [f"- `{name}`: {KNOWN_FAULTS[name]}" for name in sorted(faulty)]
    lines += [
        "",
        "## The correct models",
        "",
        "| model | kind | cell | what it is | clean |",
        "|---|---|---|---|---|",
    ]
    for case in CORRECT:
        about = case.about.splitlines()[0].replace("|", "\\|")
        clean = "no" if case.name in faulty else "yes"
        lines.append(f"| {case.name} | {case.kind} | {case.cell} | {about} | {clean} |")
    return "\n".join(lines) + "\n"


def _share(cases: list[Case], faulty: AbstractSet[str]) -> str:
    return f"{sum(case.name not in faulty for case in cases)}/{len(cases)}"


def main() -> int:
    """Judges every case; writes the page if the known faults are the only ones."""
    from judgement import judge

    cases = [case for pair in PAIRS for case in (pair.wrong, pair.right)] + CORRECT
    faulty = set()
    for case in cases:
        if faults := judge(case).faults:
            faulty.add(case.name)
            print(f"{case.name}: {' / '.join(faults)}", file=sys.stderr)
    if faulty != set(KNOWN_FAULTS):
        print(f"known_faults.py differs in: {sorted(faulty ^ set(KNOWN_FAULTS))}", file=sys.stderr)
        return 1
    PAGE.write_text(render(faulty), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
