"""M03 to M06, M26: states viewed so that samples, layers or directions are mixed."""

from __future__ import annotations

from collections.abc import Iterator

from ._check import CannotTell, Check, finding
from ._finding import Finding
from ._layer_run import LayerRun, Reshape
from ._observation import Observation, Reader, significant
from ._sample_sources import foreign_samples, moved_lanes, reshape_into, sorted_order, states_viewed


def viewed_final_states(seen: Observation) -> Iterator[Finding]:
    """M03: the final states viewed as (batch, …).

    Args:
        seen: the model.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    readers = [*seen.results, *(r for r in seen.layer_readers if r.kind == "input")]
    for reader in readers:
        if reader.samples != seen.batch or reader.batch_axis is None:
            continue
        foreign = foreign_samples(seen, reader)
        for sample, taken in foreign.items():
            keys = [k for k in taken if k[0] in ("h_n", "c_n") and k[1] >= 0]
            keys = [k for k in keys if not seen.runs[k[1]].single]
            if not keys:
                continue
            kind, index = keys[0]
            run = seen.runs[index]
            if (run.num_layers * run.num_directions) < 2 and not reshape_into(seen, reader):
                continue
            if sorted_order(seen, reader) is not None:
                continue
            other = min(taken[keys[0]])
            rows = run.num_layers * run.num_directions
            yield finding(
                "M03",
                "error",
                run.module,
                "RF",
                f"{reader.name} of sample {sample} is made of {kind} of sample {other}.",
                f"{kind} of {run.module or 'the layer'} is (layer and direction, "
                f"batch, hidden), here "
                f"({rows}, {run.lanes}, {run.h_n.shape[-1]}). Viewed as (batch, …) it "
                f"gives a sample "
                "the states of other samples.",
                "summary = h_n.transpose(0, 1).reshape(batch, -1)",
                sample=sample,
                other_sample=other,
            )
            return


def mixed_starts(seen: Observation, code: str) -> Iterator[Finding]:
    """M04, M05, M26: h_0 or c_0 of a lane made of other samples.

    Args:
        seen: the model.
        code: which of them.
    """
    if seen.batch < 2:
        raise CannotTell("the example holds one sample; give a batch of at least two")
    for reader in seen.layer_readers:
        run = reader.run
        if reader.kind not in ("h_0", "c_0") or run is None or reader.samples != seen.batch:
            continue
        foreign = foreign_samples(seen, reader)
        mixed = [lane for lane, taken in foreign.items() if taken]
        if not mixed or moved_lanes(seen, reader) is not None:
            continue
        reshape = reshape_into(seen, reader)
        keys = {key for lane in mixed for key in foreign[lane]}
        states = next((key for key in keys if key[0] in ("h_n", "c_n", "output")), None)
        if any(seen.runs[k[1]].module == run.module for k in keys if k[0] != "entry"):
            continue
        found, place = "M04", run.module
        if states is not None:
            viewed = None if reshape is None else states_viewed(seen, reshape)
            if viewed is not None:
                found, place = "M05", viewed.module
            elif reshape is None and not _rows_are_samples(reader):
                found, place = "M05", seen.runs[states[1]].module
        whole = _rows_are_samples(reader)
        if found == "M04" and (whole or (reshape is not None and _by_layer(reshape, reader))):
            found = "M26"
        if found != code:
            continue
        lane = mixed[0]
        others = sorted(set().union(*foreign[lane].values()))
        named = run.module or "the layer"
        explanation = {
            "M04": f"The vector that starts {named} is cut by view into h_0 of (layer, batch, "
            "hidden): neighbouring numbers of one sample become the states of others.",
            "M05": f"The final states of {place or 'the encoder'} are flattened by "
            "view before they "
            f"start {named}: layers and samples lie in another order than the view takes them.",
            "M26": f"{reader.kind} of {named} is laid out (batch, layer, hidden); the "
            "layer takes it "
            "as (layer, batch, hidden).",
        }[found]
        repair = {
            "M04": "h_0 = latent.view(batch, layers, hidden).transpose(0, 1).contiguous()",
            "M05": "h_0 = h_n.view(layers, 2, batch, hidden)\n"
            "h_0 = torch.cat([h_0[:, 0], h_0[:, 1]], dim=-1)  # (layer, batch, 2 * hidden)",
            "M26": "h_0 = h_0.transpose(0, 1).contiguous()  # (layer, batch, hidden)",
        }[found]
        yield finding(
            found,
            "error",
            place,
            "RF",
            f"{reader.name} of sample {lane} is made of sample {others[0]}.",
            explanation,
            repair,
            sample=lane,
            other_sample=others[0],
        )
        return


def _rows_are_samples(reader: Reader) -> bool:
    """Whether row k of h_0 is made of sample k alone, in every lane."""
    rows, lanes = reader.tensor.shape[:2]
    if rows != lanes or rows < 2:
        return False
    for row in range(rows):
        reach = reader.flow.of(reader.tensor[row])
        samples = [set(significant(amounts.sum(1))) for amounts in reach.entries.values()]
        samples += [set(significant(amounts.sum(0))) for amounts in reach.finals.values()]
        samples += [set(significant(amounts.sum((0, 2)))) for amounts in reach.outputs.values()]
        if not samples or any(found != {row} for found in samples):
            return False
    return True


def _by_layer(reshape: Reshape, reader: Reader) -> bool:
    """Whether (batch, layer, hidden) was viewed as (layer, batch, hidden)."""
    before, after = tuple(reshape.before.shape), tuple(reshape.after.shape)
    rows, lanes, size = reader.tensor.shape
    return before == (lanes, rows, size) and after == (rows, lanes, size)


def wrong_rows(seen: Observation, code: str) -> Iterator[Finding]:
    """M06 and the layers of M05: which rows of h_n go where.

    Args:
        seen: the model.
        code: M05 or M06.
    """
    for run in seen.runs:
        if not run.bidirectional or run.num_layers < 2:
            continue
        layers = run.num_layers
        for reader in seen.readers:
            if reader.kind == "input" or (reader.run and reader.run.module == run.module):
                continue
            if reader.run is not None and reader.run.index <= run.index:
                continue
            for kind in ("h_n", "c_n"):
                rows = _rows(seen, reader, run, kind)
                found = _misread(rows, layers, reader)
                if found != code:
                    continue
                flat = sorted(set().union(*rows))
                first = ", ".join(map(str, flat))
                yield finding(
                    code,
                    "error",
                    run.module,
                    "ID",
                    f"{reader.name} is made of rows {first} of {kind} of "
                    f"{run.module or 'the layer'}"
                    + (f"; its first row of rows {sorted(rows[0])}." if code == "M05" else "."),
                    f"{kind} lies l0 forward, l0 reverse, l1 forward, l1 reverse: row 2 * layer is "
                    "forward, row 2 * layer + 1 is reverse. "
                    + (
                        f"The first {layers} rows are both directions of the lower layers."
                        if code == "M06"
                        else "The view takes the layers for the directions."
                    ),
                    "forward, reverse = h_n[0::2], h_n[1::2]  # each (layer, batch, hidden)",
                    rows=first,
                )
                return


def _rows(seen: Observation, reader: Reader, run: LayerRun, kind: str) -> list[set[int]]:
    """By row of what starts a layer, or for a result as one row: the rows of the final states."""
    found = []
    parts = list(reader.tensor) if reader.kind in ("h_0", "c_0") else [reader.tensor]
    for part in parts:
        reach = reader.flow.of(part)
        amounts = reach.finals.get((run.index, kind))
        found.append(set() if amounts is None else set(significant(amounts.sum(1))))
    if reader.kind == "result":
        reach = reader.flow.of(reader.tensor)
        if run.index in reach.outputs:
            return []
    return found


def _misread(rows: list[set[int]], layers: int, reader: Reader) -> str | None:
    if not rows or not all(rows):
        return None
    flat = set().union(*rows)
    if reader.kind == "result":
        return "M06" if flat in (set(range(layers)), {layers - 1, 2 * layers - 1}) else None
    if len(rows) == layers and all(found == {k} for k, found in enumerate(rows)):
        return "M06"
    if flat == set(range(layers)) and len(rows) <= layers:
        return "M06"
    if len(rows) == layers and all(found == {k, layers + k} for k, found in enumerate(rows)):
        return "M06"
    return None


def rows_or_mixing(seen: Observation) -> Iterator[Finding]:
    """M05 in both its shapes.

    Args:
        seen: the model.
    """
    found = False
    for one in wrong_rows(seen, "M05"):
        found = True
        yield one
    if not found and seen.batch > 1:
        yield from mixed_starts(seen, "M05")


CHECKS = (
    Check("M03", viewed_final_states),
    Check("M04", lambda seen: mixed_starts(seen, "M04")),
    Check("M05", rows_or_mixing),
    Check("M06", lambda seen: wrong_rows(seen, "M06")),
    Check("M26", lambda seen: mixed_starts(seen, "M26")),
)
