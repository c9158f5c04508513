"""The page in a real browser, light and dark, wide and narrow, and with the keyboard.

Needs Chromium (`apt-get install chromium`). Where `CI` is set its absence is a failure.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from doctor_reports import examples

from unrolled.explanation._palette import DARK, LIGHT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),
    reason="Chromium is not installed: apt-get install chromium; CI always has it",
)

OBSERVE = """
const seen = {};
const rgb = (colour) => colour.match(/[0-9]+/g).map(Number);
seen.paper = rgb(getComputedStyle(document.body).backgroundColor);
seen.ink = rgb(getComputedStyle(document.querySelector("pre code")).color);
seen.fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
seen.sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
seen.code = Array.from(document.querySelectorAll("pre")).map((pre) => pre.tabIndex);
const figure = document.querySelector("figure.walk");
if (figure) {
  const first = figure.querySelector(".state");
  first.focus();
  first.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  seen.walked = document.activeElement.dataset.address;
}
const report = document.createElement("pre");
report.id = "seen";
report.textContent = JSON.stringify(seen);
document.body.append(report);
"""


def observe(page: str, folder: Path, *, dark: bool, width: int) -> dict[str, Any]:
    """What a script finds in the page once it is open."""
    digest = base64.b64encode(hashlib.sha256(OBSERVE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    path = folder / "page.html"
    path.write_text(page.replace("</body>", f"<script>{OBSERVE}</script></body>"), "utf-8")
    assert CHROMIUM is not None, "Chromium is not installed: apt-get install chromium"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search('<pre id="seen">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    return seen


@pytest.mark.parametrize(
    ("name", "dark", "width"),
    [("mixed", False, 1200), ("mixed", True, 400), ("hostile", True, 1200)],
)
def test_the_page_in_a_browser(tmp_path: Path, name: str, dark: bool, width: int) -> None:
    report = examples()[name]
    seen = observe(report.to_html(), tmp_path, dark=dark, width=width)
    palette = DARK if dark else LIGHT
    for what, colour in (("paper", palette.paper), ("ink", palette.ink)):
        assert seen[what] == [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    assert seen["fetched"] == []
    assert seen["sideways"] <= 0
    assert seen["code"] == [0] * len(report.findings)
    assert seen["walked"] == "h[layer=0, forward, step=1]"
