"""A piece of picture with a size, and how pieces are stacked into one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ._markup import Markup, element, escaped, joined, number

NAMESPACE = "http://www.w3.org/2000/svg"


@dataclass(frozen=True, slots=True)
class Drawing:
    """SVG elements in a box of `width` x `height` pixels, its origin at the top left.

    `title` names the picture and `description` tells what is to be seen in it, for those who
    can't see it.
    """

    width: float
    height: float
    body: Markup
    title: str
    description: str = ""

    def nested(self, x: float, y: float) -> Markup:
        """The elements moved to a place in a larger picture."""
        return element("g", {"transform": f"translate({number(x)} {number(y)})"}, self.body)

    def svg(self, style: str = "", role: str = "img", paper: bool = False) -> Markup:
        """The picture as one `<svg>` element.

        Args:
            style: CSS to carry inside; empty where the page brings it.
            role: `"img"`, or `"group"` where the parts can be walked through.
            paper: whether to paint the background.
        """
        head = [element("title", {}, escaped(self.title))]
        if self.description:
            head.append(element("desc", {}, escaped(self.description)))
        if style:
            head.append(element("style", {}, escaped(style)))
        if paper:
            head.append(element("rect", {"class": "paper", "width": "100%", "height": "100%"}))
        return element(
            "svg",
            {
                "xmlns": NAMESPACE,
                "class": "unrolled",
                "viewBox": f"0 0 {number(self.width)} {number(self.height)}",
                "width": self.width,
                "height": self.height,
                "role": role,
                "aria-label": self.title,
            },
            Markup("\n"),
            joined([*head, self.body]),
            Markup("\n"),
        )


def stacked(
    drawings: Sequence[Drawing], title: str, margin: float = 16, gap: float = 28
) -> Drawing:
    """Drawings one under the other, with a margin around them."""
    y = margin
    placed: list[Markup] = []
    for drawing in drawings:
        placed.append(drawing.nested(margin, y))
        y += drawing.height + gap
    return Drawing(
        width=max((drawing.width for drawing in drawings), default=0) + 2 * margin,
        height=(y - gap if drawings else y) + margin,
        body=joined(placed),
        title=title,
        description=" ".join(drawing.description for drawing in drawings if drawing.description),
    )
