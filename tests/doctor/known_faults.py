"""Cases that the doctor gets wrong, by name, each with what it says and what it ought to say.

A test fails as soon as one of them comes out right, so the list can't grow old.
"""

KNOWN_FAULTS: dict[str, str] = {}
