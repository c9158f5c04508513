"""The frame of a page that needs nothing but itself: head, colours, script and policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from ._markup import Markup, element, escaped, joined
from ._palette import page_colours, picture_css
from ._symbol import shown_text


def html_page(
    title: str, lead: str, main: Sequence[Markup], style: str = "", field: bool = False
) -> str:
    """One self-contained page, well-formed as XML too.

    Nothing is fetched when it opens, and its content security policy forbids it. It follows the
    reader's preference for light or dark, and prints.

    Args:
        title: its heading.
        lead: a sentence under the heading; none when empty.
        main: what stands below, in order.
        style: CSS after that of every page.
        field: whether a receptive field is marked in it.
    """
    style = "\n" + page_colours() + picture_css(field=field) + _resource("page.css") + style
    script = "\n" + _resource("page.js")
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}"
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, escaped(shown_text(title))),
        element("style", {}, Markup(style)),
    ]
    header = [element("h1", {}, escaped(shown_text(title)))]
    if lead:
        header.append(element("p", {"class": "lead"}, escaped(shown_text(lead))))
    body = [
        element("header", {}, joined(header)),
        element("main", {}, joined(list(main))),
        element("footer", {}, escaped("Drawn by unrolled. This page needs no network.")),
        element("script", {}, Markup(script)),
    ]
    page = element(
        "html",
        {"lang": "en", "xmlns": "http://www.w3.org/1999/xhtml"},
        element("head", {}, joined(head)),
        element("body", {}, joined(body)),
    )
    return f"<!DOCTYPE html>\n{page}\n"


def titled_section(title: str, *content: Markup) -> Markup:
    """Content under a heading, and named by it."""
    heading = element("h2", {}, escaped(shown_text(title)))
    return element("section", {"aria-label": shown_text(title)}, heading, *content)


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """A content-security source that lets exactly this inline text in."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
