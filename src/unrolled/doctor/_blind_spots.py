"""What a model's results and these examples cannot show, each said in a line."""

from __future__ import annotations

from dataclasses import dataclass

from ._observation import Observation
from ._results import described

OF_READING = frozenset(
    {
        *("M01", "M02", "M03", "M05", "M06", "M10", "M12", "M13"),
        *("M15", "M16", "M18", "M23", "M24", "M28", "M29"),
    }
)
"""The checks that ask which states a tensor is made of, and so need one that is made of some."""
OF_SAMPLES = frozenset({"M03", "M04", "M07", "M13", "M26"})
"""The checks that ask whether samples are kept apart."""

NO_LAYER = (
    "No recurrent layer ran: the model has no RNN, GRU or LSTM of torch.nn or unrolled.nn, or its "
    "call does not reach one. There was nothing to find."
)


@dataclass(frozen=True)
class BlindSpots:
    """Lines for the report, and checks that have nothing to look at."""

    lines: tuple[str, ...]
    unrun: dict[str, str]
    """By code: why a check that finds nothing has not looked either."""


def blind_spots(seen: Observation) -> BlindSpots:
    """What cannot be seen.

    Args:
        seen: the model after its first runs.
    """
    if not seen.runs:
        return BlindSpots((NO_LAYER,), {})
    lines: list[str] = []
    unrun: dict[str, str] = {}
    gave = _not_followed(seen)
    if gave is not None:
        if _read_by_a_layer(seen):
            lines.append(f"The model gave {gave}; what its layers read was looked at.")
        else:
            why = (
                f"the model gave {gave}; let it return what it makes of the states of each sample."
            )
            unrun |= dict.fromkeys(OF_READING, why)
    rows = _steps_without_batch(seen)
    if rows:
        lines.append(
            f"The example has no batch: its {rows} rows are the steps of one sequence to the layer."
        )
        why = (
            "the example has no batch, only the steps of one sequence; give a batch of three "
            "samples or more."
        )
        unrun |= dict.fromkeys(OF_SAMPLES, why)
    return BlindSpots(tuple(lines), unrun)


def _not_followed(seen: Observation) -> str | None:
    """What the model gave, where it is nothing that can be followed back to a sample's states."""
    results = seen.cut.results
    followed = [result for result in results if result.requires_grad and result.numel()]
    if not any(result.numel() for result in results):
        return f"{described(seen.cut.given)}, in which there is no number to follow"
    if not followed:
        return "numbers that carry no gradient, as after argmax or detach"
    if seen.batch > 1 and all(result.numel() == 1 for result in followed):
        return "one number for the whole batch, in which samples cannot be told apart"
    return None


def _read_by_a_layer(seen: Observation) -> bool:
    return any(reader.flow.of(reader.tensor).runs for reader in seen.layer_readers)


def _steps_without_batch(seen: Observation) -> int:
    """How many steps the one sequence has; 0 where there is a batch."""
    if seen.main is not None or any(
        run.packed or run.single or run.lanes != 1 for run in seen.runs
    ):
        return 0
    steps = seen.runs[0].steps
    sizes = {leaf.shape[0] for leaf in seen.examples.leaves if getattr(leaf, "ndim", 0) in (1, 2)}
    return steps if steps > 1 and steps in sizes else 0
