"""What a model makes of a text."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One target text for a source text.

    Attributes:
        text: the target.
        score: what predictions are ordered by, higher is better: log-probability over the length
            penalty.
        log_probability: of the target and its END given the source, in nats.
        source_pieces: what the source was cut into.
        target_pieces: what the target is made of.
        unknown: source pieces that training did not see, each once; they were read as UNKNOWN, so
            the target is a guess where they matter.
        attention: how much of each source piece was read for each target piece; `None` unless
            asked for.
    """

    text: str
    score: float
    log_probability: float
    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    attention: Float[Tensor, "target_step source_step"] | None = None
