"""Cases that the doctor gets wrong, by name, each with what it says and what it ought to say.

A test fails as soon as one of them comes out right, so the list can't grow old.
"""

KNOWN_FAULTS: dict[str, str] = {
    "m05-deep-viewed-translator": "M05 is found, and M10 is said of the decoder beside it: the "
    "samples that the view mixes are taken for padding.",
    "m15-misaligned-mask-translator": "M10 is found at the decoder instead of M15 at the encoder, "
    "whose output has fewer steps than the mask was made for.",
}
