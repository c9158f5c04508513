"""Writes the pages of the doctor's mistakes, their pictures, and the table of the doctor's page.

python docs/assets/write_doctor_pages.py
"""

import re
from pathlib import Path

from unrolled.doctor import MISTAKES, Mistake

DOCS = Path(__file__).parents[1]
THEMES = ("light", "dark")
TABLE = re.compile(r"^\| code \|.*?(?=^$)", re.MULTILINE | re.DOTALL)


def page(mistake: Mistake) -> str:
    """The page of one mistake."""
    pieces = [
        f"# {mistake.code}: {mistake.title}",
        "This page is made from the catalogue; `unrolled doctor --explain "
        f"{mistake.code}` prints the same.",
        mistake.wrong,
        f"**Why it goes unseen.** {mistake.trains}",
        f"**How it is seen.** {mistake.seen} Probe: {mistake.probe_names}. A finding is usually "
        f"{'an' if mistake.severity == 'error' else 'a'} {mistake.severity}.",
        f"## The wrong code\n\n```python\n{mistake.wrong_code}```",
    ]
    reading = mistake.reading
    if reading:
        said = "; ".join(str(reading.wrong().selection).splitlines())
        pieces.append(f"What `{reading.select}` takes:")
        pieces.append(
            "\n".join(
                f"![{_alternative(said)}](../assets/doctor/{mistake.code}-{theme}.svg#only-{theme})"
                for theme in THEMES
            )
        )
    pieces.append(f"## The right code\n\n```python\n{mistake.right_code}```")
    right = reading.right() if reading else None
    if reading and right:
        pieces.append(f"`{reading.instead}` takes:")
        pieces.append("\n".join(f"- {line}" for line in _lines(str(right.selection))))
    return "\n\n".join(pieces) + "\n"


def table() -> str:
    """The mistakes with a link to the page of each."""
    rows = [
        f"| [{m.code}](doctor/{m.code}.md) | {m.title} | {m.severity} |" for m in MISTAKES.values()
    ]
    return "\n".join(["| code | what it is | usually |", "|---|---|---|", *rows]) + "\n"


def files() -> dict[str, str]:
    """Path under `docs/` and content of each file that is written whole."""
    written = {f"doctor/{code}.md": page(mistake) for code, mistake in MISTAKES.items()}
    for code, mistake in MISTAKES.items():
        if mistake.reading:
            picture = mistake.reading.wrong()
            for theme in THEMES:
                written[f"assets/doctor/{code}-{theme}.svg"] = picture.svg(theme)
    return written


def _lines(text: str) -> list[str]:
    """Addresses have brackets, which Markdown could take for links."""
    return [line.replace("[", "\\[").replace("]", "\\]") for line in text.splitlines()]


def _alternative(text: str) -> str:
    return text.replace("[", "(").replace("]", ")")


if __name__ == "__main__":
    for name, content in files().items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(content, encoding="utf-8")
    doctor = DOCS / "doctor.md"
    text = doctor.read_text(encoding="utf-8")
    doctor.write_text(TABLE.sub(lambda _: table(), text, count=1), encoding="utf-8")
