"""Points in space: what of a run folder gets into a page, and that the script turns them."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganglion import figures
from ganglion.runs.report import Captioned, Section, write_report
from ganglion.runs.space import SCRIPT, canvas

SPACE = {"points": [[0.0, 0.5, -1.0, 0], [1.0, 0.0, 0.2, 1]], "names": ["cat", "dog"], "colours": ["#000", "#fff"]}
BROWSER = """
const drawn = [], heard = {};
const pen = { fillRect() {}, beginPath() {}, fill() {}, fillText() {}, arc(x, y) { drawn.push([x, y]); } };
const image = { hidden: false };
const canvas = { width: 720, height: 480, hidden: true, getContext: () => pen, setPointerCapture() {},
  nextElementSibling: { textContent: process.argv[1] }, parentElement: { querySelector: () => image },
  addEventListener(name, act) { heard[name] = act; } };
const document = { querySelectorAll: () => [canvas] };
SCRIPT
const before = drawn.splice(0);
heard.pointermove({ clientX: 50, clientY: 50 });
const unheld = drawn.splice(0).length;
heard.pointerdown({ clientX: 0, clientY: 0, pointerId: 1 });
heard.pointermove({ clientX: 60, clientY: 10 });
const after = drawn.splice(0);
console.log(JSON.stringify({ before, unheld, after, canvas: canvas.hidden, image: image.hidden }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run the script")
def test_dragging_turns_the_points() -> None:
    script = BROWSER.replace("SCRIPT", SCRIPT)
    found = subprocess.run(["node", "-e", script, json.dumps(SPACE)], capture_output=True, text=True, check=True)
    seen: dict[str, Any] = json.loads(found.stdout)
    assert len(seen["before"]) == len(seen["after"]) == 2 and seen["before"] != seen["after"]
    assert seen["unheld"] == 0  # nothing moves before somebody holds it
    assert not seen["canvas"] and seen["image"]


def test_nothing_of_a_name_can_leave_the_data() -> None:
    page = canvas({**SPACE, "names": ["</script><script>alert(1)</script>", "dog"]})
    assert page.count("<script") == page.count("</script>") == 1
    assert "alert(1)" in json.loads(page.partition('json">')[2].partition("</script>")[0])["names"][0]


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {**SPACE, "points": []},
        {**SPACE, "points": [[0, 0, "x", 0]]},
        {**SPACE, "points": [[0, 0, 0]]},
        {**SPACE, "points": [[0, 0, float("inf"), 0]]},
        {**SPACE, "points": "abc"},
        {**SPACE, "names": [1]},
        {**SPACE, "colours": None},
    ],
)
def test_what_is_no_set_of_points_is_left_out(damaged: dict[str, Any]) -> None:
    assert canvas(damaged) == ""


def test_a_map_of_three_numbers_is_a_picture_and_points_that_a_page_turns(tmp_path: Path) -> None:
    codes, labels = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2
    path = figures.save(figures.code_map(codes, labels, ("cat", "dog")), tmp_path / "code_map.png")
    space = json.loads(path.with_suffix(figures.SPACE).read_text(encoding="utf-8"))
    points = np.array(space["points"])
    assert points.shape == (50, 4) and np.abs(points[:, :3]).max() == 1 and points[:, 3].tolist() == labels.tolist()
    axes = [np.corrcoef(points[:, axis], codes[:, axis])[0, 1] for axis in range(3)]
    assert axes == pytest.approx([1, 1, 1], abs=1e-4)
    page = write_report(tmp_path / "one.html", [Section("Run", [Captioned(path, "map", space)])]).read_text()
    assert "<canvas" in page and SCRIPT in page and "http" not in page
    flat = figures.save(figures.code_map(codes[:, :2], labels), tmp_path / "flat.png")
    assert not flat.with_suffix(figures.SPACE).exists()
    page = write_report(tmp_path / "two.html", [Section("Run", [Captioned(flat, "map")])]).read_text()
    assert "<script" not in page


def test_pictures_are_on_the_map_where_their_codes_are() -> None:
    codes = np.stack(np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 2, 40)), axis=-1).reshape(-1, 2)
    images = np.zeros((len(codes), 4, 4, 1), np.uint8)
    images[:, 0, 0, 0] = np.clip(codes[:, 0] * 255, 0, 255)  # a pixel says where it belongs
    figure = figures.picture_map(codes, images, np.zeros(len(codes), int), ("all",))
    drawn = figure.axes[0].images
    assert len(drawn) > 300
    for image in drawn:
        left, right, *_ = image.get_extent()
        assert image.get_array()[0, 0, 0] == pytest.approx((left + right) / 2, abs=0.05)
