"""M10, M11, M23, M28: padding that is read."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._observation import Observation
from ._other_sequences import other_padded

_WORDS = {
    "M10": (
        "error",
        "PAD",
        "Padding reaches the state or the pool that {0} gives: the result of a sample "
        "depends on how "
        "much padding its batch brings.",
        "packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)",
    ),
    "M11": (
        "error",
        "PAD",
        "Padding stands before the real steps: by the first real one the state of {0} "
        "has been driven "
        "through the pads.",
        "# pad at the end, and pack\npacked = pack_padded_sequence(x, lengths, batch_first=True, "
        "enforce_sorted=False)",
    ),
    "M23": (
        "error",
        "PAD",
        "Attention over the states of {0} reads padded steps.",
        "scores = scores.masked_fill(~mask, float('-inf'))  # before the softmax",
    ),
    "M28": (
        "error",
        "PAD",
        "The mean over the output of {0} counts padded steps.",
        "mean = (output * mask.unsqueeze(-1)).sum(1) / lengths.unsqueeze(-1)",
    ),
}


def _leaking(code: str, seen: Observation) -> Iterator[Finding]:
    if seen.main is None or not seen.runs:
        return
    if not seen.examples.ragged and not other_padded(seen.examples):
        raise CannotTell("no sample has padding; give lengths that differ, or a mask")
    found = seen.leaks
    for leak in found:
        if leak.code == code:
            severity, probe, explanation, repair = _WORDS[code]
            yield finding(
                code,
                "error" if severity == "error" else "warning",
                leak.module,
                probe,
                leak.text,
                explanation.format(leak.module or "the layer"),
                repair,
                sample=leak.sample,
                step=leak.step,
            )
            return


CHECKS = (
    Check("M10", lambda seen: _leaking("M10", seen)),
    Check("M11", lambda seen: _leaking("M11", seen)),
    Check("M23", lambda seen: _leaking("M23", seen)),
    Check("M28", lambda seen: _leaking("M28", seen)),
)
