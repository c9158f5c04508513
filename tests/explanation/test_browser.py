"""The page in a real browser: its script runs, the keyboard works, and no word is cut off.

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

import pytest
from example_reports import examples, run_report

from unrolled.explanation import Report, TablePart, explain_selection, grid_part, render_html
from unrolled.explanation._palette import DARK, LIGHT
from unrolled.grid import StackShape

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),
    reason="Chromium is not installed: apt-get install chromium; CI always has it",
)

OBSERVE = """
const seen = {};
const rgb = (colour) => colour.match(/[0-9]+/g).map(Number);
seen.paper = rgb(getComputedStyle(document.body).backgroundColor);
seen.fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
seen.sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
for (const details of document.querySelectorAll("details")) details.open = true;
seen.cut = [];
seen.overlapping = [];
for (const picture of document.querySelectorAll("svg")) {
  const frame = picture.getBoundingClientRect();
  const words = Array.from(picture.querySelectorAll("text"));
  const boxes = words.map((word) => word.getBoundingClientRect());
  words.forEach((word, place) => {
    const box = boxes[place];
    if (box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
      seen.cut.push(word.textContent);
    }
    for (let other = 0; other < place; other += 1) {
      const two = boxes[other];
      if (box.left < two.right - 1 && two.left < box.right - 1
          && box.top < two.bottom - 4 && two.top < box.bottom - 4) {
        seen.overlapping.push(words[other].textContent + " / " + word.textContent);
      }
    }
  });
}
const figure = document.querySelector("figure.walk");
const places = Array.from(figure.querySelectorAll(".state"));
seen.stops = places.filter((place) => place.tabIndex === 0).length;
seen.walk = [];
const here = () => document.activeElement;
const note = () => seen.walk.push([here().dataset.address,
  figure.querySelector(".readout").textContent,
  Array.from(figure.querySelectorAll(".lit")).map((lit) => Number(lit.dataset.step))]);
places[0].focus();
note();
for (const key of ["ArrowRight", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft"]) {
  here().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  note();
}
const report = document.createElement("pre");
report.id = "seen";
report.textContent = JSON.stringify(seen);
document.body.append(report);
"""


def observe(page: str, folder, *, dark: bool = False, width: int = 1200) -> dict:
    """What a script finds in the page once it is open."""
    digest = base64.b64encode(hashlib.sha256(OBSERVE.encode()).digest()).decode()
    page = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    page = page.replace("</body>", f"<script>{OBSERVE}</script></body>")
    path = folder / "page.html"
    path.write_text(page.replace("<!DOCTYPE html>\n", "<!DOCTYPE html>"), encoding="utf-8")
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
    return json.loads(unescape(found[1]))


@pytest.fixture(scope="module")
def page() -> str:
    word = "pneumonoultramicroscopicsilicovolcanoconio"
    shape = StackShape("lstm", 1, 1, num_layers=2, bidirectional=True)
    wide = Report("A long word", (grid_part(shape, len(word), symbols=word, name="encoder"),))
    odd = (
        "שלום",
        "e\u0301",
        "\u202e",
        "日本語",
        "internationalisation",
        "counterrevolutionary",
        "<b>",
        "👩\u200d🔬",
    )
    strange = Report("Odd symbols", (grid_part(shape, 10, 8, symbols=odd),))
    tables = [TablePart("Words", ("word", "said"), (("cat", "K AE1 T"),))]
    reports = [run_report(), wide, strange, *(examples()[name] for name in examples())]
    low = Report("One layer", (grid_part(StackShape("lstm", 1, 1), 3, 2, initial="bridge"),))
    reports.append(low)
    return render_html(reports, title="Spelling to sound", scores={"WER %": 31.2}, tables=tables)


@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_of_a_selection_in_a_browser(tmp_path, width):
    long = "torch.cat([" + ", ".join(["output[0,:,0]"] * 40) + "]).view(40,2).transpose(0,1)[0]"
    shape = StackShape("lstm", 1, 8, 2, True)
    for report in (
        examples()["selected-last-step"],
        explain_selection(shape, 9, long, framework="torch"),
        explain_selection(shape, 9, "Y_h", lengths=[9, 2], framework="onnx"),
    ):
        seen = observe(report.html(), tmp_path, width=width)
        assert seen["fetched"] == []
        assert seen["cut"] == []
        assert seen["overlapping"] == []
        assert seen["sideways"] <= 0
        assert seen["stops"] == 1


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (400, False)])
def test_the_page_in_a_browser(page, tmp_path, width, dark):
    seen = observe(page, tmp_path, width=width, dark=dark)
    paper = (DARK if dark else LIGHT).paper
    assert seen["paper"] == [int(paper[place : place + 2], 16) for place in (1, 3, 5)]
    assert seen["fetched"] == []
    assert seen["cut"] == []
    assert seen["overlapping"] == []
    assert seen["sideways"] <= 0
    assert seen["stops"] == 1
    addresses = [address for address, _, _ in seen["walk"]]
    assert addresses == [
        "h[layer=0, forward, step=0]",
        "h[layer=0, forward, step=1]",
        "c[layer=0, reverse, step=1]",
        "h[layer=0, reverse, step=1]",
        "h[layer=0, reverse, step=0]",
        "h[layer=0, reverse, step=0]",
    ]
    lit = [steps for _, _, steps in seen["walk"]]
    assert lit == [[0], [0, 1], [1, 2], [1, 2], [0, 1, 2], [0, 1, 2]]
    assert "hidden_state[row=1, columns 0 to 3]" in seen["walk"][-1][1]
