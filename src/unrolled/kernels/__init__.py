"""The compiled kernels, the instruction set they use, and their NumPy reference."""

from ._isa import IsaChoice as IsaChoice
from ._isa import available_isas as available_isas
from ._isa import isa as isa
from ._isa import why_unavailable as why_unavailable
from ._packed_matrix import PackedMatrix as PackedMatrix
from ._recurrent import additive_scores as additive_scores
from ._recurrent import gates_row as gates_row
from ._recurrent import recurrent_stack as recurrent_stack
from ._recurrent import recurrent_stream as recurrent_stream
from ._reference import multiply as multiply
from ._search import DecoderArrays as DecoderArrays
from ._search import FoundHypothesis as FoundHypothesis
from ._search import NoProbabilitiesError as NoProbabilitiesError
from ._search import SourceArrays as SourceArrays
from ._search import decoder_packs as decoder_packs
from ._search import search as search
