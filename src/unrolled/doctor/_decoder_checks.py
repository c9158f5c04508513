"""M16, M17, M30: what a decoder starts from and keeps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ._check import Check, finding
from ._finding import Finding, Severity
from ._flow import Reach
from ._layer_run import LayerRun
from ._observation import FAR, Observation, significant

_H_TO_C = (
    "An LSTM keeps its memory in the cell state c and shows h. Here one stands where the other "
    "belongs, so that the memory is lost."
)


def _holds_states_of(start: Tensor | None, source: LayerRun) -> bool:
    """Whether a start is hidden states as they are; a learned layer of them is a way of its own."""
    hidden = [source.h_n] if source.output is None else [source.h_n, source.output]
    values = torch.cat([state.detach().flatten() for state in hidden])
    return start is not None and bool(torch.isin(start.detach(), values).all())


def lost_cell(seen: Observation) -> Iterator[Finding]:
    """M16: c lost or swapped with h.

    Args:
        seen: the model.
    """
    passed_on = _lost_on_the_way(seen)
    if passed_on is not None:
        yield passed_on
    else:
        yield from _read_in_place_of_hidden(seen)


def _lost_on_the_way(seen: Observation) -> Finding | None:
    """From one LSTM to the start of another."""
    for run in seen.runs:
        if run.cell != "lstm":
            continue
        start, memory = seen.reader(run, "h_0"), seen.reader(run, "c_0")
        if start is None or memory is None:
            continue
        into_h = start.flow.of(start.tensor)
        into_c = memory.flow.of(memory.tensor)
        for source in seen.runs[: run.index]:
            if source.cell != "lstm":
                continue
            lost = _lost(run, source, into_h, into_c)
            if lost is not None:
                severity, what = lost
                return finding(
                    "M16",
                    severity,
                    source.module,
                    "ID",
                    f"{what}.",
                    _H_TO_C,
                    "output, (h_n, c_n) = encoder(x)\ndecoder(y, (h_n, c_n))",
                    run=run.index,
                )
    return None


def _lost(
    run: LayerRun, source: LayerRun, into_h: Reach, into_c: Reach
) -> tuple[Severity, str] | None:
    """What is wrong with a start that is made of the states of another run, and how bad it is."""
    at = source.index
    to, origin = run.module or "the layer", source.module or "the layer"
    h_to_h = (at, "h_n") in into_h.finals or at in into_h.outputs
    h_to_c = (at, "h_n") in into_c.finals or at in into_c.outputs
    if (at, "c_n") in into_h.finals and not h_to_h:
        return "error", f"h_0 of {to} is made of c_n of {origin}"
    if h_to_c and (at, "c_n") not in into_c.finals and _holds_states_of(run.c_0, source):
        return "error", f"c_0 of {to} is made of h_n of {origin}"
    is_zero = run.c_0 is None or not bool((run.c_0 != 0).any())
    if not h_to_h or not is_zero or into_c.finals or into_c.outputs or into_c.entries:
        return None
    what = f"h_0 of {to} is made of h_n of {origin}, and its c_0 is zero"
    if not _holds_states_of(run.h_0, source):
        return "note", what  # a learned start, whose cell state is anybody's choice
    return "warning" if run.module != source.module else "error", what


def _read_in_place_of_hidden(seen: Observation) -> Iterator[Finding]:
    """By a result or another layer."""
    told: set[str] = set()
    inputs = [reader for reader in seen.layer_readers if reader.kind == "input"]
    for reader in [*seen.results, *inputs]:
        reach = reader.flow.of(reader.tensor)
        beside = seen.results if reader.kind == "result" else [reader]
        for index, kind in reach.finals:
            run = seen.runs[index]
            if kind != "c_n" or run.module in told:
                continue
            if any(
                (index, "h_n") in r.finals or index in r.outputs
                for r in (other.flow.of(other.tensor) for other in beside)
            ):
                continue
            told.add(run.module)
            most = float(run.c_n.detach().abs().max()) if run.c_n is not None else 0.0
            yield finding(
                "M16",
                "error",
                run.module,
                "ID",
                f"{reader.name} is made of c_n of {run.module or 'the layer'} (at most "
                f"{most:.3g} in "
                "size) and of none of its h.",
                _H_TO_C,
                "output, (h_n, c_n) = lstm(x)  # h_n first",
                largest=most,
            )


def not_fed_back(seen: Observation) -> Iterator[Finding]:
    """M17: a layer that is run step by step, each time from elsewhere than its last state.

    Args:
        seen: the model.
    """
    for name, runs in seen.calls.items():
        if len(runs) < 2 or any(run.steps != 1 for run in runs):
            continue
        own = {run.index for run in runs}
        fed, steps = 0, 0
        for run in runs[1:]:
            steps += 1
            for kind in ("h_0", "c_0", "input"):
                reader = seen.reader(run, kind)
                if reader is None:
                    continue
                if any(index in own for index in reader.flow.of(reader.tensor).runs):
                    fed += kind != "input"
                    break
        if fed or not _one_sequence(seen, runs):
            continue
        yield finding(
            "M17",
            "error",
            name,
            "RF",
            f"{name or 'The layer'} ran {len(runs)} times for one step each, and no "
            f"run but the first "
            f"starts from a state of the run before it: 0 of {steps}.",
            f"The state of {name or 'the layer'} is not fed back: each step forgets "
            f"those before it.",
            "for step in range(steps):\n"
            "    output, state = decoder(y[:, step : step + 1], state)  # the new state goes on",
            runs=len(runs),
            fed_back=0,
        )


def _one_sequence(seen: Observation, runs: list[LayerRun]) -> bool:
    """Whether the runs are steps of a sequence: other steps of the same samples."""
    read = []
    for run in runs[:3]:
        reader = next(r for r in seen.whole_layer_readers if r.run and r.run.index == run.index)
        reach = reader.flow.of(reader.tensor)
        steps = {
            (place, step)
            for place, amounts in reach.entries.items()
            for step in significant(amounts.sum(0), FAR)
        }
        read.append(steps)
    return len(runs) > 2 or len(set(map(frozenset, read))) > 1 or not read[0]


def thrown_away(seen: Observation) -> Iterator[Finding]:
    """M30: final states that nobody reads while a decoder starts from something else.

    Args:
        seen: the model.
    """
    read: set[int] = set()
    for reader in seen.readers:
        reach = reader.flow.of(reader.tensor)
        read |= {index for index, _ in reach.finals}
    starts = {r.run.index: r for r in seen.layer_readers if r.kind == "h_0" and r.run is not None}
    for run in seen.runs:
        calls = seen.calls[run.module]
        if run.index in read or run.single or run.steps < 2 or len(calls) > 1:
            continue
        for later in seen.runs[run.index + 1 :]:
            if later.module == run.module or seen.calls[later.module][0] is not later:
                continue
            into = starts[later.index].flow.of(starts[later.index].tensor)
            if into.runs or into.entries or not _decodes(seen, run, later):
                continue
            yield finding(
                "M30",
                "note",
                run.module,
                "RF",
                f"No result depends on hidden_state of {run.module or 'the layer'} "
                f"(its gradient is 0), and {later.module or 'the decoder'} starts from "
                + ("a learned vector." if bool((later.h_0 != 0).any()) else "zeros."),
                f"The final states of {run.module or 'the encoder'} are computed and "
                f"thrown away; the "
                "decoder begins with no word of what was read.",
                "output, hidden_state = encoder(x)\ndecoder(y, bridge(hidden_state))",
                gradient=0.0,
            )
            return


def _decodes(seen: Observation, encoder: LayerRun, decoder: LayerRun) -> bool:
    """Whether a later layer decodes what an earlier one has read, and is not stacked upon it."""
    calls = seen.calls[decoder.module]
    direct = False
    for call in calls:
        reader = seen.reader(call, "input")
        if reader is not None and encoder.index in reader.flow.of(reader.tensor).runs:
            direct = True
    together = any(
        encoder.index in reach.runs and any(call.index in reach.runs for call in calls)
        for reach in (reader.flow.of(reader.tensor) for reader in seen.results)
    )
    if not direct and not together:
        return False
    if len(calls) > 1 and all(call.steps == 1 for call in calls):
        return True
    own = _entries_of(seen, decoder) - _entries_of(seen, encoder)
    return bool(own)


def _entries_of(seen: Observation, run: LayerRun) -> set[int]:
    reader = seen.reader(run, "input")
    return set() if reader is None else set(reader.flow.of(reader.tensor).entries)


CHECKS = (
    Check("M16", lost_cell),
    Check("M17", not_fed_back),
    Check("M30", thrown_away),
)
