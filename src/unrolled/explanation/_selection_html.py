"""What a tensor holds, as HTML: a sentence for each place, then what is likely to be wrong."""

from __future__ import annotations

from ._markup import Markup, element, escaped, joined
from ._part_lines import part_heading
from ._selection_part import SelectionPart
from ._selection_traps import selection_traps
from ._selection_words import first_sentences
from ._symbol import shown_text


def selection_html(part: SelectionPart) -> Markup:
    """The sentences in a list, each trap in a box of its own."""
    items = []
    sentences, rest = first_sentences(part)
    for sentence in sentences:
        history = f" — {sentence.history}" if sentence.history else ""
        items.append(
            element(
                "li",
                {},
                element("b", {}, escaped(f"{sentence.place}: ")),
                element("code", {}, escaped(sentence.states)),
                escaped(history),
            )
        )
    if rest:
        items.append(element("li", {}, escaped(rest)))
    pieces = [
        element("h3", {}, element("bdi", {}, escaped(part_heading(part)))),
        *(element("p", {"class": "note"}, escaped(shown_text(note))) for note in part.notes),
        element("ul", {"class": "holds"}, *items),
    ]
    for trap in selection_traps(part):
        label = element("b", {}, escaped("Warning: "))
        pieces.append(element("p", {"class": "trap", "role": "note"}, label, escaped(trap)))
    return joined(pieces)
