"""Drawings as SVG: paths and simple shapes become lines of points, curves short straight stretches."""

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ganglion.data.formats.strokes.svg_paths import path_lines
from ganglion.data.strokes import Lines, simplified
from ganglion.errors import DataError
from ganglion.files import MOST_JSON_BYTES, read_bytes

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")
HIDDEN = ("defs", "clipPath", "mask", "symbol", "pattern", "marker", "metadata", "style", "title", "desc", "text")
"""Elements in which nothing is drawn."""
FINE = 1 / 128
"""What curves may be off their straight stretches, in parts of the drawing: as in Quick, Draw!, 2 of 255."""
CORNERS = 33
"""Points around a circle before that."""


def read_svg(path: Path) -> tuple[Lines, float | None]:
    """Return the lines of a file, and the longer side of its paper in the same units; None where it names none.

    Raises:
        DataError: this is no SVG, or draws no line.
    """
    content = read_bytes(path, MOST_JSON_BYTES)
    if b"<!ENTITY" in content:
        raise DataError("this SVG declares entities, which it does not need", where=str(path), expected="plain SVG")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError("this is no SVG", where=str(path), found=str(error), expected="XML with paths") from error
    try:
        lines = [line for line in _drawn(root, np.eye(3), path) if len(line) and np.isfinite(line).all()]
    except RecursionError:
        lines = []
    if not lines:
        raise DataError(
            "there is no line in this drawing",
            where=str(path),
            expected="path, polyline, polygon, line, rect, circle or ellipse",
            found=f"a {_tag(root)} without any",
            remedy="turn texts and pictures into paths before saving",
        )
    tolerance = FINE * max(float(np.ptp(np.concatenate(lines), axis=0).max()), 1e-9)
    return [simplified(line, tolerance) for line in lines], _paper(root)


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _numbers(text: str | None) -> list[float]:
    return [float(number) for number in NUMBER.findall(text or "")]


def _paper(root: ElementTree.Element) -> float | None:
    box = _numbers(root.get("viewBox"))
    if len(box) == 4 and max(box[2:]) > 0:
        return max(box[2:])
    sides = [_numbers(root.get(name)) for name in ("width", "height") if "%" not in root.get(name, "")]
    found = [side[0] for side in sides if side]
    return max(found) if len(found) == 2 and max(found) > 0 else None


def _drawn(element: ElementTree.Element, outer: np.ndarray, path: Path) -> Iterator[np.ndarray]:
    """Yield the lines of an element and of all within it, on the paper."""
    tag = _tag(element)
    if tag in HIDDEN or element.get("display") == "none":
        return
    matrix = outer @ _matrix(element.get("transform", ""))
    if tag in SHAPES:
        try:
            lines = SHAPES[tag](element)
        except DataError as error:
            error.where = str(path)
            raise
        except (ValueError, IndexError, OverflowError) as error:
            raise DataError(
                f"this {tag} cannot be drawn",
                where=str(path),
                found=f"{str(error)[:60]} in {element.attrib!r:.60}",
                expected="coordinates as SVG has them",
            ) from error
        for line in lines:
            with np.errstate(invalid="ignore"):  # numbers without end are no places, and such lines are left out
                placed = line @ matrix[:2, :2].T + matrix[:2, 2]
            yield placed
    for child in element:
        yield from _drawn(child, matrix, path)


def _matrix(text: str) -> np.ndarray:
    """Return what a transform does to points, (3, 3)."""
    matrix = np.eye(3)
    for name, words in TRANSFORM.findall(text):
        given = _numbers(words)
        matrix = matrix @ _step(name, given) if given else matrix
    return matrix


def _step(name: str, given: list[float]) -> np.ndarray:
    """Return one step of a transform, (3, 3)."""
    step = np.eye(3)
    if name == "matrix" and len(given) == 6:
        step[:2] = np.array(given).reshape(3, 2).T
    elif name == "translate":
        step[:2, 2] = given[0], given[1] if len(given) > 1 else 0
    elif name == "scale":
        step[[0, 1], [0, 1]] = given[0], given[-1]
    elif name == "rotate":
        turn, centre = math.radians(given[0]), np.array(given[1:3] if len(given) > 2 else (0, 0))
        step[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        step[:2, 2] = centre - step[:2, :2] @ centre
    elif name.startswith("skew"):
        step[(0, 1) if name == "skewX" else (1, 0)] = math.tan(math.radians(given[0]))
    return step


def _points(element: ElementTree.Element) -> np.ndarray:
    numbers = _numbers(element.get("points"))
    return np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2)


def _polygon(element: ElementTree.Element) -> Lines:
    points = _points(element)
    return [np.concatenate([points, points[:1]])]


def _of(element: ElementTree.Element, *names: str) -> list[float]:
    return [(_numbers(element.get(name)) or [0.0])[0] for name in names]


def _line(element: ElementTree.Element) -> Lines:
    return [np.array(_of(element, "x1", "y1", "x2", "y2")).reshape(2, 2)]


def _rect(element: ElementTree.Element) -> Lines:
    x, y, width, height = _of(element, "x", "y", "width", "height")
    right, low = x + width, y + height
    corners = np.array([(x, y), (right, y), (right, low), (x, low), (x, y)])
    return [corners] if width > 0 and height > 0 else []


def _ellipse(element: ElementTree.Element) -> Lines:
    names = ("r", "r") if _tag(element) == "circle" else ("rx", "ry")
    across, down, x, y = _of(element, *names, "cx", "cy")
    angles = np.linspace(0, 2 * np.pi, CORNERS)
    return [np.column_stack([x + across * np.cos(angles), y + down * np.sin(angles)])]


SHAPES: dict[str, Callable[[ElementTree.Element], Lines]] = {
    "path": lambda element: path_lines(element.get("d", "")),
    "polyline": lambda element: [_points(element)],
    "polygon": _polygon,
    "line": _line,
    "rect": _rect,
    "circle": _ellipse,
    "ellipse": _ellipse,
}
"""The lines of each element that draws."""
