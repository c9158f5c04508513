"""The compiled kernels, the instruction set they use, and their NumPy reference."""

from ._isa import IsaChoice as IsaChoice
from ._isa import available_isas as available_isas
from ._isa import isa as isa
from ._isa import why_unavailable as why_unavailable
from ._packed_matrix import PackedMatrix as PackedMatrix
from ._reference import multiply as multiply
