"""The `d` of an SVG path as lines of points."""

import math
import re

import numpy as np

from ganglion.data.strokes import Lines
from ganglion.errors import DataError

TOKEN = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])|([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
TAKEN = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
"""Numbers that each command takes."""
PIECES = 16
"""Straight stretches that a curve is cut into."""


def path_lines(text: str) -> Lines:
    """Return the lines that a path draws, each some points `(points, 2)`; a curve becomes many short stretches.

    Raises:
        DataError: the path does not begin with a move, or a command has too few numbers.

    >>> [line.tolist() for line in path_lines("M1 1h3v2z m5 0l1 1")]
    [[[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 1.0]], [[6.0, 1.0], [7.0, 2.0]]]
    """
    pen = _Pen()
    for command, numbers in _commands(text):
        pen.follow(command, numbers)
    return [np.array(line) for line in pen.lines if len(line) > 1]


def _commands(text: str) -> list[tuple[str, list[float]]]:
    """Return the commands of a path in order; one whose numbers go on is repeated."""
    found: list[tuple[str, list[float]]] = []
    tokens = _tokens(text)
    place = 0
    while place < len(tokens):
        command = tokens[place] if isinstance(tokens[place], str) else ""
        if not command:
            raise _broken(f"a number without a command: {tokens[place]}")
        place += 1
        count = TAKEN[str(command).upper()]
        while True:
            numbers = tokens[place : place + count]
            if len(numbers) < count or any(isinstance(number, str) for number in numbers):
                raise _broken(f"{command} with {len(numbers)} numbers instead of {count}")
            found.append((str(command), [float(number) for number in numbers]))
            place += count
            if not count or place >= len(tokens) or isinstance(tokens[place], str):
                break
            command = {"M": "L", "m": "l"}.get(str(command), command)
    return found


def _tokens(text: str) -> list[str | float]:
    """Return commands and numbers; the two flags of an arc may stand without anything between them."""
    tokens: list[str | float] = []
    place, command, given = 0, "", 0
    while found := TOKEN.search(text, place):
        place = found.end()
        if found[1]:
            command, given = found[1].upper(), 0
            tokens.append(found[1])
        elif command == "A" and given % 7 in (3, 4) and found[2][0] in "01":
            place, given = found.start() + 1, given + 1
            tokens.append(float(found[2][0]))
        else:
            given += 1
            tokens.append(float(found[2]))
    return tokens


def _broken(found: str) -> DataError:
    return DataError("this path cannot be followed", found=found, expected="commands with their numbers, M first")


class _Pen:
    """Where the pen is, where its line began, and what it has drawn."""

    def __init__(self) -> None:
        self.lines: list[list[np.ndarray]] = []
        self.place, self.begin, self.control = np.zeros(2), np.zeros(2), np.zeros(2)
        self.before = ""

    def follow(self, command: str, numbers: list[float]) -> None:
        """Follow one command; a small letter counts from where the pen is."""
        kind, origin = command.upper(), self.place if command.islower() else np.zeros(2)
        if not self.lines and kind != "M":
            raise _broken(f"{command} before any M")
        if kind == "Z":
            self.draw(np.array([self.begin]))
        elif kind == "A":
            self.draw(_arc(self.place, numbers, np.array(numbers[5:]) + origin))
        elif kind in "HV":
            corner = self.place.copy()
            corner["HV".index(kind)] = numbers[0] + origin["HV".index(kind)]
            self.draw(corner[None])
        else:
            self.curve(kind, np.array(numbers).reshape(-1, 2) + origin)
        self.before = kind

    def curve(self, kind: str, points: np.ndarray) -> None:
        """Follow a move, a straight stretch, or a curve by its points (points, 2)."""
        if kind == "M":
            self.place = self.begin = points[0]
            self.lines.append([points[0]])
            return
        if kind in "ST":
            smooth = self.before in ("CS" if kind == "S" else "QT")
            mirrored = 2 * self.place - self.control if smooth else self.place
            points = np.concatenate([mirrored[None], points])
        control = points[-2] if len(points) > 1 else points[0]
        self.draw(_bezier(np.concatenate([self.place[None], points])) if len(points) > 1 else points)
        self.control = control

    def draw(self, points: np.ndarray) -> None:
        if self.before == "Z":
            self.lines.append([self.place])
        self.lines[-1].extend(points)
        self.place = points[-1]


def _bezier(points: np.ndarray) -> np.ndarray:
    """Return points (pieces, 2) on the curve of three or four points, without the first."""
    degree, t = len(points) - 1, np.arange(1, PIECES + 1)[:, None] / PIECES
    numbers = np.arange(degree + 1)
    weights = np.array([math.comb(degree, n) for n in numbers]) * t**numbers * (1 - t) ** (degree - numbers)
    curve: np.ndarray = weights @ points
    return curve


def _arc(start: np.ndarray, numbers: list[float], end: np.ndarray) -> np.ndarray:
    """Return points (pieces, 2) of an arc of an ellipse, without its first.

    Source: Scalable Vector Graphics 1.1, implementation notes F.6.5.
    """
    radii, turn = np.abs(numbers[:2]), math.radians(numbers[2])
    large, sweep = numbers[3] != 0, numbers[4] != 0
    if not radii.all() or (start == end).all():
        return end[None]
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    half = turned @ (start - end) / 2
    radii = radii * max(1.0, math.sqrt(((half / radii) ** 2).sum()))
    scaled = half / radii
    length = float((scaled**2).sum())
    aside = math.sqrt(max(0.0, 1 / length - 1)) * (1 if large != sweep else -1)
    middle = aside * np.array([scaled[1], -scaled[0]])
    first, last = (math.atan2(*(one - middle)[::-1]) for one in (scaled, -scaled))
    way = (last - first) % (2 * math.pi)
    way = way if sweep else way - 2 * math.pi
    angles = first + way * np.arange(1, PIECES + 1) / PIECES
    unit = np.column_stack([np.cos(angles), np.sin(angles)]) + middle
    points: np.ndarray = (unit * radii) @ turned + (start + end) / 2
    points[-1] = end
    return points
