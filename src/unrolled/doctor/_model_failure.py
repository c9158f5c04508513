"""What a model's own exception says: that its initial state lies wrong, or that it cannot run."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

from ._check import finding
from ._examples import Examples
from ._finding import Finding
from ._patient import Patient, first_line
from ._stillness import as_it_was, stillness
from ._time_limit import left_at

_SIZES = re.compile(r"[Ee]xpected hidden(?:\[\d\])? size \(([\d, ]+)\), got \[([\d, ]+)\]")


def failure(
    patient: Patient, examples: Examples, reason: BaseException, deadline: float
) -> str | Finding:
    """M26 where the model raised because of how its initial state lies; a sentence otherwise.

    Args:
        patient: the model.
        examples: what it was called with.
        reason: what it raised.
        deadline: by `time.monotonic`.
    """
    sizes = _SIZES.search(first_line(reason))
    if sizes:
        wanted = [int(n) for n in sizes[1].split(",")]
        got = [int(n) for n in sizes[2].split(",")]
        if len(got) == 3 and got == [wanted[1], wanted[0], wanted[2]]:
            place = _raising_place(patient, examples, deadline)
            named = place or "the layer"
            return finding(
                "M26",
                "error",
                place,
                "HOOK",
                f"h_0 of {named} is {tuple(got)}, and the layer takes (layer, batch, hidden), "
                f"which is {tuple(wanted)}.",
                f"h_0 of {named} is laid out (batch, layer, hidden).",
                "h_0 = h_0.transpose(0, 1).contiguous()  # (layer, batch, hidden)",
                got=str(tuple(got)),
                expected=str(tuple(wanted)),
            )
    return f"the model raised {first_line(reason)}; give the inputs of a call that works"


def _raising_place(patient: Patient, examples: Examples, deadline: float) -> str:
    """The submodule that was entered last when the model raised."""
    model = patient.fresh()
    places: list[str] = []
    handles = []
    for name, module in model.named_modules():

        def entered(_: Any, __: Any, name: str = name) -> None:
            places.append(name)

        handles.append(module.register_forward_pre_hook(entered))
    args, keywords = examples.call()
    put_back = nullcontext() if patient.copied else as_it_was(model)
    try:
        with stillness(patient.dtype), put_back, left_at(deadline):
            model(*args, **keywords)
    except (Exception, SystemExit):
        return places[-1] if places else ""
    finally:
        for handle in handles:
            handle.remove()
    return ""
