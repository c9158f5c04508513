"""How the weights are trained."""

from dataclasses import dataclass

from ._schedule import SCHEDULES, Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the weights are trained.

    Attributes:
        learning_rate: its peak.
        schedule: how it falls.
        warmup_steps: steps until the peak.
        weight_decay: of AdamW; 0 is plain Adam.
        label_smoothing: probability spread over all symbols.
        gradient_clip: largest norm of the gradient of all weights together.

    Raises:
        ValueError: a setting is not possible; names every one.
    """

    learning_rate: float = 2e-3
    schedule: Schedule = "linear"
    warmup_steps: int = 200
    weight_decay: float = 0.0
    label_smoothing: float = 0.1
    gradient_clip: float = 1.0

    def __post_init__(self) -> None:
        checks = (
            ("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0"),
            ("schedule", self.schedule, self.schedule in SCHEDULES, f"in {', '.join(SCHEDULES)}"),
            ("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more"),
            ("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "in [0, 1)"),
            ("gradient_clip", self.gradient_clip, self.gradient_clip > 0, "above 0"),
        )
        faults = [
            f"{name} is {value!r}, expected {rule}" for name, value, ok, rule in checks if not ok
        ]
        if faults:
            raise ValueError(f"this cannot be trained with: {'; '.join(faults)}.")
