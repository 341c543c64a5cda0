"""Drawings as files: SVG, pictures and sheets of them, films in which they come about, and JSON to go on from."""

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from ganglion.figures.images.film import save_film
from ganglion.figures.images.pen import GIVEN, NEW, Drawn, pen_film, pen_pixels
from ganglion.figures.images.pixels import sheet
from ganglion.tasks.answers import Strokes

MARGIN = 0.1
"""Room around a drawing, in parts of its size."""
DIGITS = 2
"""Behind the point of a coordinate."""
PICTURE = 256
"""Pixels of a side of a drawing."""
FILM_RATE = 20.0
"""Frames a second."""
PICTURES, FILMS, LINES = (".png", ".jpg", ".jpeg"), (".gif", ".webp", ".mp4"), (".json", ".ndjson")
ENDINGS = (".svg", *PICTURES, *FILMS, *LINES)


def write_drawings(answer: Strokes, path: Path) -> str:
    """Write all drawings into one file, as its ending says, and return how many these are in words."""
    suffix, drawn, columns = path.suffix.lower(), drawn_of(answer), columns_of(answer)
    if suffix in PICTURES:
        Image.fromarray(sheet(pen_pixels(drawn, PICTURE), columns)).save(path)
    elif suffix in FILMS:
        save_film(pen_film(drawn, columns), path, FILM_RATE)
    elif suffix in LINES:
        path.write_text(_as_json(answer, one_a_line=suffix == ".ndjson"), encoding="utf-8")
    else:
        path.write_text(drawings_as_svg(drawn, answer.names, columns), encoding="utf-8")
    return "1 drawing" if len(drawn) == 1 else f"{len(drawn):,} drawings"


def save_drawing(one: Drawn, path: Path) -> None:
    """Write one drawing as SVG."""
    path.write_text(drawings_as_svg([one]), encoding="utf-8")


def drawn_of(answer: Strokes) -> list[Drawn]:
    """Return the drawings of an answer, each with the number of lines that were given."""
    return [Drawn(*one) for one in zip(answer.drawings, answer.given or [0] * len(answer.drawings), strict=True)]


def columns_of(answer: Strokes) -> int:
    """Return how many drawings stand in a row."""
    return max(1, min(len(answer.drawings), answer.columns or math.ceil(math.sqrt(len(answer.drawings)))))


def drawings_as_svg(drawings: Sequence[Drawn], titles: Sequence[str] = (), columns: int = 1) -> str:
    """Return drawings side by side as SVG, all at the same scale; lines that were given are blue.

    >>> drawings_as_svg([Drawn([np.array([[0, 0], [10, 5]])])]).count("<polyline")
    1
    """
    corners = [np.concatenate(list(one.lines)) if len(one.lines) else np.zeros((1, 2)) for one in drawings]
    side = max([1e-6, *(float(np.ptp(points, axis=0).max()) for points in corners)]) * (1 + 2 * MARGIN)
    rows = max(1, math.ceil(len(drawings) / columns))
    parts = []
    for place, (one, points) in enumerate(zip(drawings, corners, strict=True)):
        cell = np.array([place % columns + 0.5, place // columns + 0.5]) * side
        shift = cell - (points.min(0) + points.max(0)) / 2
        title = f"<title>{escape(titles[place])}</title>" if place < len(titles) else ""
        lines = [_polyline(line + shift, is_given=number < one.given) for number, line in enumerate(one.lines)]
        parts.append(f"<g>{title}{''.join(lines)}</g>")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * side:.2f} {rows * side:.2f}" fill="none" '
        f'stroke="{NEW}" stroke-width="{side / 80:.3f}" stroke-linecap="round" stroke-linejoin="round">'
        f"{''.join(parts)}</svg>\n"
    )


def _polyline(line: np.ndarray, *, is_given: bool) -> str:
    colour = f' stroke="{GIVEN}"' if is_given else ""
    points = " ".join(f"{x:.{DIGITS}f},{y:.{DIGITS}f}" for x, y in line)
    return f'<polyline points="{points}"{colour}/>'


def _as_json(answer: Strokes, *, one_a_line: bool) -> str:
    """Return drawings as Quick, Draw! writes them: for each line the x and the y of its points."""
    rows = [
        {"name": name, "drawing": [np.asarray(line).round(DIGITS).T.tolist() for line in lines]}
        for name, lines in zip(answer.names, answer.drawings, strict=True)
    ]
    return "\n".join(map(json.dumps, rows)) + "\n" if one_a_line else json.dumps(rows) + "\n"
