"""The packages that every model needs; imported first, so that their absence is one sentence."""

from .._extras import require

require("unrolled.seq2seq", "torch", "torch", "jaxtyping")
