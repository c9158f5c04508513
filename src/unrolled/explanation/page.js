"use strict";
// Lets a reader walk through a picture with the arrow keys, and says what stands under the pointer.
// Written without angle brackets and ampersands, so that the page is well-formed XML too.
for (const figure of document.querySelectorAll("figure.walk")) {
  const places = Array.from(figure.querySelectorAll(".state, .weight"));
  const readout = figure.querySelector(".readout");
  const first = places[0];
  if (!first) continue;

  const show = (place) => {
    readout.textContent = place.querySelector("title").textContent.split("\n").join(" · ");
    const [from, to] = (place.dataset.read || "-1 -1").split(" ").map(Number);
    const inside = (step) => !(Math.max(from, Math.min(step, to)) - step);
    for (const symbol of figure.querySelectorAll("[data-step]")) {
      symbol.classList.toggle("lit", inside(Number(symbol.dataset.step)));
    }
  };

  const middle = (place) => {
    const box = place.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };

  const next = (place, [dx, dy]) => {
    const [x, y] = middle(place);
    let best = place;
    let least = Infinity;
    for (const other of places) {
      const [ox, oy] = middle(other);
      const along = (ox - x) * dx + (oy - y) * dy;
      const across = Math.abs((ox - x) * dy) + Math.abs((oy - y) * dx);
      const distance = Math.max(along, 2) === along ? along + 8 * across : Infinity;
      if (Math.min(distance, least) !== least) { best = other; least = distance; }
    }
    return best;
  };

  const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  for (const place of places) {
    place.setAttribute("role", "img");
    place.setAttribute("tabindex", "-1");
    place.addEventListener("pointerenter", () => show(place));
    place.addEventListener("focus", () => show(place));
    place.addEventListener("keydown", (event) => {
      const way = ways[event.key];
      if (!way) return;
      event.preventDefault();
      const other = next(place, way);
      place.setAttribute("tabindex", "-1");
      other.setAttribute("tabindex", "0");
      other.focus();
    });
  }
  first.setAttribute("tabindex", "0");
}
