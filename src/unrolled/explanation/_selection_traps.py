"""Known traps that a selection can fall into, each told with the way out."""

from __future__ import annotations

import numpy as np

from ._selection_group import SelectionGroup, selection_groups
from ._selection_part import SelectionPart
from ._selection_words import first_step, last_step, listed

_FINALS = {
    "torch": "torch.cat([hidden_state[-2], hidden_state[-1]], dim=-1)",
    "keras": "last_output, which return_sequences=False gives",
    "onnx": "Y_h, which holds the last state of each direction",
    "flax": "carry, which holds the last state of each direction",
}


def selection_traps(part: SelectionPart) -> tuple[str, ...]:
    """What is likely to be a mistake, the gravest first."""
    groups = selection_groups(part)
    found = [
        _reverse_begins(part, groups),
        _mixed_samples(part),
        _joined_samples(part),
        _only_padding(part, groups),
        _reduced_padding(part, groups),
        _first_rows(part, groups),
        _reverse_alone(part, groups),
        _few_samples(part, groups),
    ]
    return tuple(trap for trap in found if trap)


def _reverse_begins(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """M01, M02: the reverse direction where it begins."""
    for group in groups:
        if group.by or group.padding or not group.lanes or group.lanes[0][2] != "reverse":
            continue
        lane = group.lanes[0]
        long = {s: lanes[lane] for s, lanes in group.steps.items() if part.lengths[s] > 1}
        if long and all(
            steps == {first_step(lane, part.lengths[sample])}
            and not _taken_whole(part, groups, sample)
            for sample, steps in long.items()
        ):
            return (
                "the reverse direction begins at the last step and ends at step 0: what stands "
                "here is its first state, not the one it ends with. For the last state of both "
                f"directions take {_FINALS[part.framework]}."
            )
    return ""


def _taken_whole(part: SelectionPart, groups: list[SelectionGroup], sample: int) -> bool:
    """Whether every step of a sample's last layer is there anyway."""
    top = part.shape.num_layers - 1
    return any(
        len(steps) == part.lengths[sample]
        for group in groups
        for lane, steps in group.steps.get(sample, {}).items()
        if lane[1] == top
    )


def _mixed_samples(part: SelectionPart) -> str:
    """M03, M05: features of several samples in one row, as after `h_n.view(batch, -1)`."""
    if len(part.sizes) < 2 or len(part.lengths) < 2:
        return ""
    rows: dict[int, set[int]] = {}
    units: dict[int, set[int]] = {}
    for piece in part.pieces:
        if piece.by or len(piece.sources) != 1:
            continue
        row = piece.start // part.sizes[-1]
        rows.setdefault(row, set()).add(piece.sources[0].sample)
        first = piece.sources[0].unit
        units.setdefault(row, set()).update((first, first + piece.count - 1))
    for row, samples in rows.items():
        if len(samples) > 1 and len(units[row]) > 1:
            place = ", ".join(map(str, np.unravel_index(row, part.sizes[:-1])))
            return (
                f"[{place}] holds {listed('sample', sorted(samples))} side by side: view and "
                "reshape keep the order of the elements and exchange no axes. Bring the batch to "
                "the front first: hidden_state.transpose(0, 1).reshape(batch, -1)."
            )
    return ""


def _joined_samples(part: SelectionPart) -> str:
    """A reduction over the batch, as after a forgotten `batch_first`."""
    for piece in part.pieces:
        samples = sorted({source.sample for source in piece.sources})
        if piece.by and len(samples) > 1:
            return (
                f"one element brings {listed('sample', samples)} together: an axis that was "
                "reduced is the batch."
            )
    return ""


def _only_padding(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """M10: a step that a shorter sample does not have."""
    real = {sample for group in groups if group.lanes for sample in group.samples}
    padded = {sample for group in groups if group.padding for sample in group.samples}
    lost = sorted(padded - real)
    if not lost:
        return ""
    if part.framework == "torch":
        way = "take hidden_state, or index with lengths: output[lengths - 1, arange(batch)]"
        if part.batch_first:
            way = way.replace("lengths - 1, arange(batch)", "arange(batch), lengths - 1")
    else:
        way = f"take {_FINALS[part.framework]}"
    return (
        f"of {listed('sample', lost)} only padding is taken ({part.padding}): the last step of a "
        f"shorter sample is not the last of the tensor. For the last state of each sample {way}."
    )


def _reduced_padding(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """M28: padding in a mean or a maximum."""
    for group in groups:
        hows = [how for how in ("mean", "max", "min", "chosen") if how in group.by]
        if not hows or not group.padded:
            continue
        sample = min(group.padded)
        if hows[0] == "mean":
            way = "Divide the sum by lengths" if part.padding == "0" else "Mask the padding"
            return (
                f"the mean divides by padded steps too: sample {sample} has "
                f"{part.lengths[sample]} real steps. {way} instead."
            )
        what = "choice" if hows[0] == "chosen" else hows[0]
        least = "inf" if hows[0] == "min" else "-inf"
        return (
            f"padding takes part in the {what} of sample {sample}, as {part.padding}. Fill padded "
            f"steps with {least} before."
        )
    return ""


def _first_rows(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """M06: `h_n[:num_layers]` taken for the forward direction of each layer."""
    shape = part.shape
    lanes = [group.lanes[0] for group in groups if group.lanes and not group.by]
    if not shape.bidirectional or shape.num_layers == 1 or len(lanes) != len(groups):
        return ""
    first = [(layer, way) for layer, way in shape.rows()][: shape.num_layers]
    ends = all(
        lanes_of[lane] == {last_step(lane, part.lengths[sample])}
        for group in groups
        for sample, lanes_of in group.steps.items()
        for lane in group.lanes
    )
    if not ends or [lane[1:] for lane in lanes] != first or len({lane[0] for lane in lanes}) > 1:
        return ""
    name = "hidden_state" if lanes[0][0] == "hidden" else "cell_state"
    return (
        f"the rows of {name} run layer 0 forward, layer 0 reverse, layer 1 forward, and so on: the "
        f"first {shape.num_layers} are not the forward direction of each layer. Those are "
        f"{name}[::2], and the reverse ones {name}[1::2]."
    )


def _reverse_alone(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """`h_n[-1]` taken for the last layer."""
    if part.framework != "torch" or not part.shape.bidirectional or len(groups) != 1:
        return ""
    named = any(name in part.expression for name in ("hidden_state", "h_n"))
    if not named or groups[0].lanes != (("hidden", part.shape.num_layers - 1, "reverse"),):
        return ""
    return (
        "this is the reverse direction alone, for the last row of hidden_state is one direction "
        f"and not the last layer. For both take {_FINALS['torch']}."
    )


def takes_samples_alike(part: SelectionPart) -> bool:
    """Whether each sample is in the tensor, and none together with another."""
    held = {source.sample for piece in part.pieces for source in piece.sources}
    return len(held) == len(part.lengths) and not _joined_samples(part)


def _few_samples(part: SelectionPart, groups: list[SelectionGroup]) -> str:
    """M07: an index on the batch, as after a forgotten `batch_first`."""
    held = sorted({sample for group in groups for sample in group.samples})
    if not held or len(held) == len(part.lengths):
        return ""
    verb = "is" if len(held) == 1 else "are"
    text = (
        f"only {listed('sample', held)} of {len(part.lengths)} {verb} in this: "
        "an index is on the batch."
    )
    if part.framework == "torch":
        axes = "(batch, step, columns)" if part.batch_first else "(step, batch, columns)"
        text += (
            f" Here output is {axes}; hidden_state is (layer · direction, batch, columns), with "
            "batch_first too."
        )
    return text
