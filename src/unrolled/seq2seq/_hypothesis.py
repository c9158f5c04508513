"""A target that a search found."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """One target and what the model thinks of it.

    Attributes:
        symbols: its ids, without BEGIN and END.
        score: what hypotheses are ordered by, higher is better: the log-probability divided by the
            length penalty.
        log_probability: of the symbols and END given the source, in nats.
        attention: how much of each source step was read for each symbol and END; `None` unless
            asked for.
    """

    symbols: list[int]
    score: float
    log_probability: float
    attention: Float[Tensor, "target_step source_step"] | None = None
