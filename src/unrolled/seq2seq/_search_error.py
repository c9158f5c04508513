"""The failure of a search."""

from ..errors import ModelError


class SearchError(ModelError):
    """A model lets no target be found.

    Args:
        source: for which of the sources.
        why: a clause that says why, and the way out.
    """

    def __init__(self, source: int, why: str) -> None:
        super().__init__(f"no target was found for source {source}: {why}")
        self.source, self.why = source, why

    def __reduce__(self) -> tuple[type["SearchError"], tuple[int, str]]:
        return type(self), (self.source, self.why)


def no_probabilities(source: int, step: int) -> SearchError:
    """The refusal of a model whose probabilities are not numbers.

    Args:
        source: whose hypothesis has none.
        step: the target step.
    """
    return SearchError(
        source,
        f"the model's probabilities at target step {step} are not numbers, since its weights or "
        "states hold NaN or infinity; load or train a sound model.",
    )


def no_end(source: int) -> SearchError:
    """The refusal of a model that lets no target end.

    Args:
        source: whose targets do not.
    """
    return SearchError(
        source,
        "the model gives none of its targets the probability to end; train it on targets that end.",
    )
