"""Models to judge the doctor by: wrong ones with their right twins, and correct ones.

They are written as people write them. The doctor is not asked when a model is written, and no model
does anything for it.
"""

from . import (  # noqa: F401  (each collects its models when it is imported)
    attention_reads,
    axes,
    bridges,
    combined_inputs,
    conversion,
    correct_arguments,
    correct_attention,
    correct_combinations,
    correct_generators,
    correct_readers,
    correct_series,
    correct_taggers,
    decoding,
    final_states,
    history,
    mixed_reads,
    order,
    padding,
)
from .case import CORRECT as CORRECT
from .case import PAIRS as PAIRS
from .case import Case as Case
from .case import Pair as Pair
