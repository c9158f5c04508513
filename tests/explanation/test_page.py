"""The page needs nothing but itself, can be read by everybody, and runs only our script."""

import base64
import hashlib
import re
from dataclasses import asdict
from xml.etree import ElementTree

import pytest
from example_reports import examples, run_report

from unrolled.explanation import TablePart, render_html
from unrolled.explanation._palette import DARK, LIGHT, Palette, themed_css

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page() -> str:
    tables = [TablePart("Words it had not seen", ("word", "right"), (("<cat>", "yes"),))]
    return render_html(
        [run_report(), run_report(), examples()["lstm-2-both-ragged"]],
        title="Spelling to sound",
        lead="A small model.",
        scores={"WER %": 31.204, "PER %": 8, "words": 12345, "model": "lstm"},
        tables=tables,
    )


@pytest.fixture(scope="module")
def root(page: str) -> ElementTree.Element:
    assert page.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_nothing_is_fetched(page, root):
    for element in root.iter():
        for name in element.attrib:
            assert name not in ("src", "srcset", "style", "background", "action"), element.tag
            assert not name.endswith("href"), element.tag
            assert not name.startswith("on"), element.tag
    addresses = re.findall(r"https?://[^\"' )]+", page)
    assert set(addresses) <= {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"}
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_lets_in_exactly_what_the_page_brings(page, root, tag):
    inline = re.findall(f"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
    assert len(inline) == 1
    digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    policy = next(
        meta.attrib["content"]
        for meta in root.iter(f"{HTML}meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert f"{tag}-src 'sha256-{digest}'" in policy


def test_what_a_reader_finds(root):
    text = " ".join("".join(root.itertext()).split())
    for words in ("31.20", "12,345", "lstm", "Spelling to sound", "A small model.", "<cat>"):
        assert words in text
    headings = [element.text for element in root.iter(f"{HTML}h2")]
    assert headings[:3] == ["Measured scores", "The run of cat", "Words it had not seen"]
    assert "Attention" in headings
    summaries = [element.text for element in root.iter(f"{HTML}summary")]
    assert "The run of cat" in summaries
    assert "Grids of states" in summaries


def test_it_can_be_read_without_seeing_it(root):
    assert root.attrib["lang"] == "en"
    assert len(list(root.iter(f"{HTML}h1"))) == 1
    for landmark in ("header", "main", "footer"):
        assert len(list(root.iter(f"{HTML}{landmark}"))) == 1
    for picture in root.iter(f"{SVG}svg"):
        title = picture.find(f"{SVG}title")
        assert picture.attrib["role"] in ("img", "group")
        assert title is not None
        assert picture.attrib["aria-label"] == title.text
    for region in root.iter(f"{HTML}div"):
        if region.get("class") == "scroll":
            assert region.attrib["tabindex"] == "0"
            assert region.attrib["role"] == "region"
            assert region.attrib["aria-label"]
    for table in root.iter(f"{HTML}table"):
        assert all(cell.get("scope") in ("col", "row") for cell in table.iter(f"{HTML}th"))
    identifiers = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(identifiers) == len(set(identifiers))


def test_weights_are_there_as_numbers(root):
    cells = {cell.text for table in root.iter(f"{HTML}bdi") for cell in [table]}
    assert {"0.75", "0.12", "1.00"} <= cells


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette: Palette):
    """Words at 4.5 : 1 or more (WCAG 2.2, 1.4.3), marks at 3 : 1 or more (1.4.11)."""
    grounds = ("node", "shade", "output_fill", "hidden_fill", "cell_fill", "paper", "raised")
    grounds += ("selected_fill",)
    words = [("ink", ground) for ground in grounds]
    words += [(name, ground) for name in ("muted",) for ground in ("paper", "raised")]
    words += [(name, "paper") for name in ("output", "hidden", "cell", "selected")]
    marks = [("output", "output_fill"), ("hidden", "hidden_fill"), ("cell", "cell_fill")]
    marks += [(name, ground) for name in ("output", "hidden", "cell") for ground in ("node",)]
    marks += [(name, "selected_fill") for name in ("output", "hidden", "cell", "selected")]
    marks += [("arrow", "paper"), ("heat", "heat_low")]
    colours = asdict(palette)
    for pairs, least in ((words, 4.5), (marks, 3.0)):
        for one, other in pairs:
            assert _contrast(colours[one], colours[other]) >= least, (one, other)


def test_themes():
    assert LIGHT.ink in themed_css("light")
    assert DARK.paper not in themed_css("light")
    assert "prefers-color-scheme" not in themed_css("dark")
    both = themed_css("auto")
    assert LIGHT.ink in both
    assert DARK.ink in both
    assert "@media screen and (prefers-color-scheme: dark)" in both
    with pytest.raises(ValueError, match="theme is 'blue'; expected 'light', 'dark' or 'auto'"):
        run_report().svg("blue")


def test_a_notebook_shows_the_pictures_without_a_script():
    fragment = run_report()._repr_html_()
    root = ElementTree.fromstring(fragment)
    assert len(list(root.iter(f"{SVG}svg"))) == 3
    assert "<script" not in fragment
    assert "arrow keys" not in fragment
