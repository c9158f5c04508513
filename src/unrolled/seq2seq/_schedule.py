"""Learning-rate schedules as functions of how far training has come."""

import math
from typing import Literal, get_args

Schedule = Literal["linear", "cosine", "inverse_sqrt", "constant"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


def learning_rate(
    peak: float, schedule: Schedule, *, step: int, progress: float, warmup_steps: int
) -> float:
    """The learning rate of a step.

    It rises in a straight line to its peak in `warmup_steps` steps. Then `"linear"` and `"cosine"`
    (Loshchilov and Hutter (2017), equation 5, without restarts) fall to 0 at the end of training,
    `"inverse_sqrt"` falls with the square root of the step (Vaswani et al. (2017), equation 3), and
    `"constant"` stays.

    Args:
        peak: the highest rate.
        schedule: one of the above.
        step: optimizer steps done before this one.
        progress: how much of training is done, from 0 to 1.
        warmup_steps: steps until the peak.

    Raises:
        ValueError: there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}; it must be one of {', '.join(SCHEDULES)}.")
    rising = min(1.0, (step + 1) / max(1, warmup_steps))
    if schedule == "linear":
        falling = 1 - progress
    elif schedule == "cosine":
        falling = 0.5 * (1 + math.cos(math.pi * progress))
    elif schedule == "inverse_sqrt":
        falling = min(1.0, math.sqrt(max(1, warmup_steps) / (step + 1)))
    else:
        falling = 1.0
    return peak * min(rising, falling)
