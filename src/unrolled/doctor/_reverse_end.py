"""What is said where the reverse half is taken at the end of a sample, and how that is mended."""

from __future__ import annotations

from ._check import finding
from ._finding import Finding
from ._layer_run import LayerRun
from ._observation import Observation

_BEGINS_AT_THE_END = (
    "The reverse direction of {} begins at the end of a sample: its state there has read one "
    "symbol only. Its last state stands at step 0, and in hidden_state."
)
_BEGINS_IN_PADDING = (
    "The reverse direction of {} begins at the last step of the batch, which in a shorter sample "
    "is padding. Its last state stands at step 0, and in hidden_state; but without packing both "
    "directions run through the padding (M10), and hidden_state has read it too."
)
_BOTH_ENDS = "summary = torch.cat([h_n[-2], h_n[-1]], dim=-1)  # top layer: forward, reverse"


def reverse_finding(
    code: str,
    taken: str,
    seen: Observation,
    run: LayerRun,
    steps: list[int],
    ends: list[int],
) -> Finding:
    """The finding, true of every sample; where padding is read as well its repair packs.

    Args:
        code: M01, M02 or M29.
        taken: the beginning of a sentence: who takes which steps.
        seen: the model.
        run: whose reverse half.
        steps: taken, by sample.
        ends: last real steps, by sample.
    """
    padded = reads_padding(seen, run, ends)
    sample = max(range(len(ends)), key=lambda k: ends[k])
    read, length = max(ends[sample] - steps[sample] + 1, 0), ends[sample] + 1
    whose = f" of sample {sample}" if len(set(ends)) > 1 else ""
    return finding(
        code,
        "error",
        run.module,
        "RF",
        f"{taken}; there the reverse half has read {read} of {length} symbols{whose}"
        f"{_of_the_shorter(steps, ends) if padded else ''}.",
        (_BEGINS_IN_PADDING if padded else _BEGINS_AT_THE_END).format(run.module or "the layer"),
        _packing(run) + _BOTH_ENDS if padded else _BOTH_ENDS,
        sample=sample,
        step=steps[sample],
        steps_read=read,
        steps=length,
    )


def reads_padding(seen: Observation, run: LayerRun, ends: list[int]) -> bool:
    """Whether a layer runs on through padding at the end of samples.

    Args:
        seen: the model.
        run: of the layer.
        ends: last real steps, by sample.
    """
    return not run.ragged and not seen.examples.padded_left and min(ends) < run.steps - 1


def _of_the_shorter(steps: list[int], ends: list[int]) -> str:
    """What the reverse half has read in samples that end before the batch does."""
    if any(step > end for step, end in zip(steps, ends, strict=True)):
        return ", and of samples that end before that step padding alone"
    return ", and of shorter samples their padding first"


def _packing(run: LayerRun) -> str:
    """The lines that let a layer know where its samples end."""
    order = "" if run.steps_first else "batch_first=True, "
    final = "(h_n, _)" if run.cell == "lstm" else "h_n"
    named = all(piece.isidentifier() for piece in run.module.split("."))
    return (
        f"packed = pack_padded_sequence(x, lengths.cpu(), {order}enforce_sorted=False)\n"
        f"_, {final} = {run.module if named else 'layer'}(packed)\n"
    )
