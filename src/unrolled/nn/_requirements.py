"""The packages that every layer needs; imported first, so that their absence is one sentence."""

from .._extras import require

require("unrolled.nn", "torch", "torch", "jaxtyping")
