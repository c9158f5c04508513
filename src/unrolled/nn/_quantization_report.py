"""How far a quantized layer is from the one it was made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateError:
    """The absolute error of one tensor of a run, over its real steps.

    Attributes:
        name: `"output"`, or a layer and direction: `"h[layer=0, forward]"`.
        largest: the largest error of an element.
        mean: their mean.
    """

    name: str
    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """The errors of a quantized layer against the float32 layer it was made of.

    Attributes:
        precision: of the weights.
        probe: the input on which they were measured, in words.
        output: of `output`.
        states: of h of each row of `hidden_state`, then of c of each row of `cell_state`.
    """

    precision: str
    probe: str
    output: StateError
    states: tuple[StateError, ...]

    @property
    def sentence(self) -> str:
        """The error of `output` in words."""
        return (
            f"output off float32 by {self.output.largest:.2g} at most, "
            f"{self.output.mean:.2g} on average, on {self.probe}"
        )

    def __str__(self) -> str:
        every = (self.output, *self.states)
        width = max(len(error.name) for error in every)
        lines = [
            f"{self.precision} beside float32, on {self.probe}: absolute errors",
            f"{'':{width}}  largest   mean",
            *(f"{e.name:{width}}  {e.largest:<8.2g}  {e.mean:.2g}" for e in every),
        ]
        return "\n".join(lines)
