"""Which finding speaks when one mistake shows in several ways."""

from __future__ import annotations

from ._finding import Finding

EXPLAINS: dict[str, frozenset[str]] = {
    # A recurrence over the batch mixes samples everywhere after it.
    "M07": frozenset({"M03", "M04", "M05", "M08", "M09", "M13", "M14", "M17", "M22", "M26"}),
    # Scrambled input: nothing after it is where it seems to be.
    "M08": frozenset({"M03", "M04", "M05", "M10", "M12", "M13", "M14", "M22", "M23", "M28"}),
    "M14": frozenset({"M01", "M02", "M03", "M10", "M12", "M13", "M22", "M23", "M28", "M29"}),
    "M01": frozenset({"M12"}),
    "M02": frozenset({"M12"}),
    "M29": frozenset({"M12"}),
    # Mixed by a view: the rows are wrong because the samples are.
    "M03": frozenset({"M06", "M10", "M12", "M13"}),
    "M05": frozenset({"M10", "M12", "M28", "M03", "M06", "M13", "M16", "M26", "M04"}),
    "M26": frozenset({"M04"}),
    "M13": frozenset({"M10", "M12", "M28", "M23"}),
    # Padding by its place: each says where the pads are read.
    "M12": frozenset({"M10"}),
    "M11": frozenset({"M10", "M12", "M23", "M28"}),
    "M23": frozenset({"M10", "M28"}),
    "M28": frozenset({"M10"}),
    "M15": frozenset({"M10", "M28", "M23"}),
    "M24": frozenset({"M10", "M11"}),
    "M22": frozenset({"M23", "M28"}),
    # A start that is random is another at each call.
    "M19": frozenset({"M20"}),
    "M17": frozenset({"M30", "M16"}),
    # What hangs on the graph of the call before was kept from it.
    "M21": frozenset({"M20"}),
    "M09": frozenset({"M30"}),
}
"""By code: the codes that are its consequences and are not told beside it."""


MENDS: dict[str, frozenset[str]] = {
    # Where padding is read as well, their repair packs, and they say so.
    "M01": frozenset({"M10"}),
    "M02": frozenset({"M10"}),
    "M29": frozenset({"M10"}),
}
"""By code: the codes that its repair mends too, of the same layer alone."""


def told(findings: list[Finding]) -> tuple[Finding, ...]:
    """The findings without those that another one explains, gravest first.

    Args:
        findings: all that checks found.
    """
    codes = {finding.code for finding in findings}
    hidden = {weak for code in codes for weak in EXPLAINS.get(code, ())}
    order = ("error", "warning", "note")
    mended = {(weak, f.module) for f in findings for weak in MENDS.get(f.code, ())}
    kept = [f for f in findings if f.code not in hidden and (f.code, f.module) not in mended]
    return tuple(sorted(kept, key=lambda f: (order.index(f.severity), f.code, f.module)))
