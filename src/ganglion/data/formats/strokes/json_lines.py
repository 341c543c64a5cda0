"""Drawings as JSON: those of Quick, Draw!, one a line, and lines or moves as a program would write them."""

from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.strokes import Lines, lines_of
from ganglion.errors import DataError
from ganglion.files import MOST_JSON_BYTES, parse_json, read_bytes

HELD = ("drawing", "lines", "strokes", "moves")
"""Under which of these names an object holds its drawing."""


def read_json_lines(path: Path) -> tuple[list[Lines], list[str]]:
    """Return the drawings of a file, and the word that each was drawn for; empty where none is given.

    The file is one drawing, a list of them, or has one on each line. `drawing` is what Quick, Draw! writes: for each
    line the x of its points, their y, and maybe times. A list of lines of points, [[x, y], ...] each, and a list of
    moves, [across, down, pen lifted] each, are read as such.

    Raises:
        DataError: this is no JSON, or no drawing; the line is named.
    """
    text = _text(path)
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        values = [(1, parse_json(text))]
    except ValueError:
        values = [(number, _parsed(line, path, number)) for number, line in rows]
    if len(values) == 1 and _is_list_of_drawings(values[0][1]):
        values = list(enumerate(values[0][1], 1))
    drawings, words = [], []
    for number, value in values:
        drawings.append(_drawing(value, f"{path}, line {number}" if len(values) > 1 else str(path)))
        words.append(str(value.get("word", "")) if isinstance(value, dict) else "")
    return drawings, words


def _text(path: Path) -> str:
    try:
        return read_bytes(path, MOST_JSON_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("this is no JSON", where=str(path), found=str(error), expected="text in UTF-8") from error


def _parsed(line: str, path: Path, number: int) -> Any:
    try:
        return parse_json(line)
    except ValueError as error:
        raise DataError(
            "this line is no JSON",
            where=f"{path}, line {number}",
            found=str(error),
            expected='a drawing, such as {"drawing": [[[0, 9], [0, 5]]]}',
        ) from error


def _is_list_of_drawings(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _drawing(value: Any, where: str) -> Lines:
    """Return the lines of one drawing."""
    name = next((name for name in HELD if isinstance(value, dict) and name in value), None)
    held = value[name] if name else value
    try:
        lines = _lines(held, quick=name == HELD[0])
    except (TypeError, ValueError, OverflowError):
        lines = []
    if not lines or not all(np.isfinite(line).all() for line in lines):
        raise DataError(
            "this is no drawing",
            where=where,
            found=f"{held!r:.60}" if held else "no line",
            expected="lines as [[x ...], [y ...]] or as [[x, y], ...], or moves as [across, down, pen lifted]",
            remedy=f"name them {' or '.join(HELD[:2])} where something else stands beside them",
        )
    return lines


def _lines(held: Any, *, quick: bool) -> Lines:
    """Return lines or moves in whichever way they are written; rows of two numbers are points unless `quick`."""
    if not held or not isinstance(held, list):
        return []
    if not isinstance(held[0][0], list):
        moves = np.array(held, dtype=np.float64)
        return lines_of(moves) if moves.ndim == 2 and moves.shape[1] == 3 else []
    by_points = not quick and all(len(row) == 2 for line in held for row in line)
    if not by_points and all(len(line) in (2, 3) and len({len(row) for row in line}) == 1 for line in held):
        return [np.array(line[:2], dtype=np.float64).T for line in held if len(line[0])]
    lines = [np.array(line, dtype=np.float64) for line in held if line]
    return [line[:, :2] for line in lines] if all(line.ndim == 2 and line.shape[1] >= 2 for line in lines) else []
