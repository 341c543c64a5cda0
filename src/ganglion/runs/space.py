"""Points in space that a reader can turn: a canvas and a small script within the page, which loads nothing."""

import json
from collections.abc import Mapping
from typing import Any

WIDTH, HEIGHT = 720, 480
MOST = 5000
"""Points that are drawn at most."""


def canvas(space: Mapping[str, Any]) -> str:
    """Return HTML of points that can be turned with the mouse or a finger; nothing of what is no set of points.

    Args:
        space: `points`, lists of x, y, z and the number of a class, and `names` and `colours` by that number.

    >>> canvas({"points": [[0, 0, 0, 0]], "names": ["cat"], "colours": ["#0072b2"]}).startswith("<canvas")
    True
    """
    points, names, colours = (space.get(name) for name in ("points", "names", "colours"))
    if not (_all(points, _is_point) and _all(names, _is_text) and _all(colours, _is_text)):
        return ""
    data = json.dumps({"points": points[:MOST], "names": names, "colours": colours}, separators=(",", ":"))  # type: ignore[index]
    safe = data.replace("<", "\\u003c")  # nothing within can end the element
    return (
        f'<canvas class="space" width="{WIDTH}" height="{HEIGHT}" hidden></canvas>'
        f'<script type="application/json">{safe}</script>'
    )


def _all(values: Any, holds: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(map(holds, values))


def _is_point(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 4
    return numbers and all(isinstance(one, int | float) and abs(one) < 1e6 for one in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


SCRIPT = """
for (const canvas of document.querySelectorAll("canvas.space")) {
  const { points, names, colours } = JSON.parse(canvas.nextElementSibling.textContent);
  const pen = canvas.getContext("2d"), present = [...new Set(points.map(point => point[3]))].sort((a, b) => a - b);
  let turn = 0.61, tilt = 0.44, zoom = 1, held = null;
  function draw() {
    const scale = zoom * Math.min(canvas.width - 160, canvas.height) * 0.36;
    const x0 = (canvas.width - 140) / 2, y0 = canvas.height / 2;
    const seen = points.map(([x, y, z, kind]) => {
      const across = Math.cos(turn) * x - Math.sin(turn) * y, away = Math.sin(turn) * x + Math.cos(turn) * y;
      return [across, Math.cos(tilt) * z + Math.sin(tilt) * away, Math.cos(tilt) * away - Math.sin(tilt) * z, kind];
    }).sort((one, other) => other[2] - one[2]);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (const [across, up, away, kind] of seen) {
      const near = 1 / (1 + 0.25 * away);
      pen.globalAlpha = Math.max(0.25, Math.min(1, 0.75 - 0.35 * away));
      pen.fillStyle = colours[kind % colours.length];
      pen.beginPath();
      pen.arc(x0 + scale * near * across, y0 - scale * near * up, 3.2 * near, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    pen.font = "13px system-ui, sans-serif";
    if (present.length > 1) present.forEach((kind, place) => {
      pen.fillStyle = colours[kind % colours.length];
      pen.fillRect(canvas.width - 130, 20 + 20 * place, 10, 10);
      pen.fillStyle = "#1f2933";
      pen.fillText(names[kind] ?? kind, canvas.width - 114, 30 + 20 * place);
    });
    pen.fillStyle = "#6b7785";
    pen.fillText("drag to turn, scroll to come nearer", 12, canvas.height - 12);
  }
  canvas.addEventListener("pointerdown", event => {
    held = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    if (!held) return;
    turn -= (event.clientX - held[0]) * 0.01;
    tilt = Math.max(-1.57, Math.min(1.57, tilt + (event.clientY - held[1]) * 0.01));
    held = [event.clientX, event.clientY];
    draw();
  });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom = Math.max(0.4, Math.min(6, zoom * Math.exp(-event.deltaY * 0.001)));
    draw();
  }, { passive: false });
  canvas.hidden = false;
  canvas.parentElement.querySelector("img").hidden = true;
  draw();
}
"""
"""Turns what `canvas` wrote; without it the picture stays."""
