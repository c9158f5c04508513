"""A mistake for a terminal: words, wrong code, what it reads, right code."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent, wrap

from ..explanation import Report as Picture
from ._mistake import Mistake

_MARGIN = "  "


def mistake_text(mistake: Mistake, width: int = 90) -> str:
    """The page of a mistake as plain text, its sentences in lines of at most `width` columns."""
    heading = f"{mistake.code}  {mistake.title}"
    blocks = [
        f"{heading}\n{'═' * len(heading)}",
        _paragraph("What goes wrong", mistake.wrong, width),
        _paragraph("Why it goes unseen", mistake.trains, width),
        _paragraph("How it is seen", f"{mistake.seen} (probe: {mistake.probe_names})", width),
        _code("Wrong code", mistake.wrong_code),
    ]
    if mistake.reading:
        title = f"What {mistake.reading.select} takes"
        blocks.append(f"{title}\n{_indented(_picture(mistake.reading.wrong()))}")
    blocks.append(_code("Right code", mistake.right_code))
    right = mistake.reading.right() if mistake.reading else None
    if mistake.reading and right:
        title = f"What {mistake.reading.instead} takes"
        blocks.append(f"{title}\n{_indented(_wrapped(str(right.selection), width))}")
    return "\n\n".join(blocks) + "\n"


def mistakes_text(mistakes: Iterable[Mistake]) -> str:
    """A line for each mistake: code, usual severity, title."""
    return "".join(f"{one.code}  {one.severity:<8} {one.title}\n" for one in mistakes)


def _paragraph(title: str, text: str, width: int) -> str:
    return "\n".join([title, *(_MARGIN + line for line in wrap(text, width - len(_MARGIN)))])


def _code(title: str, code: str) -> str:
    return f"{title}\n{_indented(code.rstrip())}"


def _wrapped(text: str, width: int) -> str:
    lines = (wrap(line, width - len(_MARGIN), subsequent_indent="  ") for line in text.splitlines())
    return "\n".join(line for found in lines for line in found)


def _indented(text: str) -> str:
    return indent(text, _MARGIN)


def _picture(picture: Picture) -> str:
    """The picture without its title, which stands above already."""
    _, _, rest = picture.text(width=98).partition("\n\n")
    return rest.rstrip()
