"""Whatever symbols a user has, the documents stay well formed and show them."""

from xml.etree import ElementTree

import pytest
from drawn_grid import check_grid, drawn_grids
from hypothesis import example, given
from hypothesis import strategies as st

from unrolled.explanation import (
    AttentionPart,
    BridgePart,
    Guess,
    PredictionPart,
    Report,
    TablePart,
    grid_part,
    render_html,
)
from unrolled.explanation._symbol import columns, shortened, shown, shown_text
from unrolled.grid import StackShape

HOSTILE = "</text></title></style></script><script>alert(1)</script>\"'&]]>"
any_text = st.text(st.characters(), max_size=12)  # surrogates and control characters too


def _report(text: str) -> Report:
    shape = StackShape("lstm", 1, 1, bidirectional=True)
    return Report(
        text,
        (
            PredictionPart(text, (Guess(text, -1.0),)),
            grid_part(shape, 3, 2, name=text, symbols=(text, "a"), predicted=(text, "b")),
            BridgePart((text,)),
            AttentionPart(text, (text, "a"), (text,), ((0.25, 0.75),)),
            TablePart(text, (text, "b"), ((text, "c"),)),
        ),
    )


@given(any_text)
@example(HOSTILE)
@example("\u202e\u2066\x00\ud800\uffff\u0301\n\t")
def test_any_text_in_any_place(text):
    report = _report(text)
    for document in (report.svg(), report.html(), f"{report._repr_html_()}"):
        root = ElementTree.fromstring(document.removeprefix("<!DOCTYPE html>\n"))
        assert len(list(root.iter("{http://www.w3.org/1999/xhtml}script"))) <= 1
        assert not list(root.iter("script"))
        (states,) = drawn_grids(document)
        check_grid(report.parts[1], states)
    lines = report.text().encode("utf-8").decode().split("\n")
    assert all(line.isprintable() or "\u2068" in line for line in lines)


@given(any_text)
def test_scores_and_titles_of_a_page(text):
    page = render_html([_report(text)], title=text, lead=text, scores={text: text})
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


@given(any_text)
def test_a_shown_text_is_one_line_and_holds_nothing_hidden(text):
    for visible in (shown(text), shown_text(text)):
        assert len(visible.splitlines()) == 1
        assert not set(visible) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\x00\t\n\u200b")
        assert visible.encode("utf-8")


@pytest.mark.parametrize(
    ("symbol", "visible"),
    [
        ("a", "a"),
        ("AH0", "AH0"),
        ("", "∅"),
        (" ", "␣"),
        ("\t", "⇥"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "e\u0301"),
        ("\u202e", "U+202E"),
        ("\x07", "U+0007"),
        ("\ud800", "U+D800"),
        ("😀", "😀"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("\u200d", "U+200D"),
        ("ש", "ש"),
    ],
)
def test_a_symbol_is_seen(symbol, visible):
    assert shown(symbol) == visible


def test_right_to_left_text_is_isolated():
    assert shown_text("שלום a") == "\u2068שלום a\u2069"
    assert shown_text("left") == "left"


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("ｱ", 1)]
)
def test_columns(text, width):
    assert columns(text) == width


def test_shortened_keeps_accents_with_their_letters():
    assert shortened("abc", 3) == "abc"
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("e\u0301" * 6, 3) == "e\u0301e\u0301…"
    assert shortened("日本語", 4) == "日…"


def test_a_long_word_keeps_its_whole_width():
    word = "pneumonoultramicroscopicsilicovolcanoconio"
    report = Report("Long", (grid_part(StackShape("gru", 1, 1), len(word), symbols=word),))
    (states,) = drawn_grids(report.svg())
    check_grid(report.parts[0], states)
    right = max(state.x + state.width for state in states)
    root = ElementTree.fromstring(report.svg())
    assert float(root.attrib["width"]) > right > 40 * 46
    assert all(len(line) <= 100 for line in report.text().splitlines() if line.startswith("reads"))
