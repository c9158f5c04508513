"""The notebook picture: the same marks as the text, self-contained, nothing unescaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from coded_grids import Run, runs
from example_grids import examples
from hypothesis import given

from unrolled.grid import Layout, StateAddress, StateGrid
from unrolled.grid._html import picture_html
from unrolled.grid._picture import Picture

VOID = {"br", "hr", "img", "meta", "link", "input"}


class Page(HTMLParser):
    """Collects the boxes of a picture and what stands in its text fallback."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.boxes: list[tuple[set[str], str]] = []
        self.fallback = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        classes = set((found.get("class") or "").split())
        if "state" in classes and found.get("title"):
            self.boxes.append((classes, found["title"] or ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] == "pre":
            self.fallback += data


def _check_boxes(grid: StateGrid) -> None:
    lengths = grid.lengths.tolist() or [grid.steps]
    length = max(lengths)
    layout = Layout(grid.num_layers, grid.num_directions == 2, steps=grid.steps, lengths=[length])
    output, finals = set(layout.output), set(layout.hidden_state)
    shown = set()
    for classes, title in Page(grid._repr_html_()).boxes:
        name, what = title.split(": ")
        if name.startswith("sample"):
            sample, step = map(int, re.findall(r"\d+", name))
            assert step < lengths[sample]
            assert "output" in classes
            assert ("final" in classes) == (step == lengths[sample] - 1)
        elif name.startswith("step"):
            assert (classes, what) == ({"state", "pad"}, "padding")
            assert int(name.split()[1]) >= min(lengths)
        else:
            address = StateAddress.parse(name)
            shown.add(address)
            assert ("output" in classes) == ("output" in what) == (address in output)
            assert ("final" in classes) == ("hidden_state" in what) == (address in finals)
            if "final" in classes:
                assert address.direction in classes
    if grid.steps <= 24 and grid.num_layers <= 12:
        every = set(grid.map(lambda array: array).addresses())
        assert shown == {at for at in every if at.kind == "hidden" and at.step < length}


@given(runs())
def test_each_box_is_marked_for_the_tensors_that_hold_it(run: Run) -> None:
    _check_boxes(run.grid())


@pytest.mark.parametrize("name", sorted(examples()))
def test_examples_too(name: str) -> None:
    _check_boxes(examples()[name])


@pytest.mark.parametrize("name", sorted(examples()))
def test_fetches_nothing_and_runs_nothing(name: str) -> None:
    html = examples()[name]._repr_html_()
    page = Page(html)
    assert page.tags <= {"style", "pre", "div", "b", "code", "span"}
    assert page.attributes <= {"class", "style", "title"}
    assert not re.search(r"url\(|@import|https?:|//", html)


@pytest.mark.parametrize("name", sorted(examples()))
def test_shows_the_text_where_styles_are_dropped(name: str) -> None:
    grid = examples()[name]
    html = grid._repr_html_()
    assert Page(html).fallback == repr(grid)
    assert '<div class="unrolled-grid" style="display: none">' in html
    assert ".unrolled-grid-text { display: none; }" in html


def test_escapes_what_it_did_not_write() -> None:
    """A dtype or a device may be of any library, so its name is not trusted."""
    hostile = '<img src=x onerror=alert(1)> & "quotes"'
    picture = Picture.of_grid(examples()["lstm-2-both-ragged"])
    picture = replace(
        picture,
        heading=hostile,
        samples_left_out=hostile,
        tensors=tuple(replace(tensor, axes=(hostile,) * 3) for tensor in picture.tensors),
    )
    html = picture_html(picture)
    assert "<img" not in html
    assert "img" not in Page(html).tags
    assert html.count("&lt;img") == 2 + 1 + 1 + 3 * 3
