"""Drawings in their two forms: lines of points on paper, and moves of a pen from point to point."""

from collections.abc import Sequence

import numpy as np

Lines = list[np.ndarray]
"""The lines of a drawing, each some points `(points, 2)`, x to the right and y downwards."""


def moves_of(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Return a drawing as rows of across, down and whether the pen is lifted after, `(points, 3)` float32.

    The first move is none at all: where on the paper a drawing begins is not told.

    >>> moves_of([np.array([[1, 2], [4, 2]]), np.array([[4, 5]])]).tolist()
    [[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 3.0, 1.0]]
    """
    kept = [np.asarray(line, dtype=np.float64).reshape(-1, 2) for line in lines if len(line)]
    if not kept:
        return np.zeros((0, 3), np.float32)
    lifted = np.zeros(sum(map(len, kept)))
    lifted[np.cumsum([len(line) for line in kept]) - 1] = 1
    moves = np.diff(np.concatenate([kept[0][:1], *kept]), axis=0)
    return np.column_stack([moves, lifted]).astype(np.float32)


def lines_of(moves: np.ndarray) -> Lines:
    """Return the lines that moves `(points, 3)` of across, down and pen lifted draw, each `(points, 2)`.

    >>> [line.tolist() for line in lines_of(np.array([[1, 2, 0], [3, 0, 1], [0, 3, 1]]))]
    [[[1.0, 2.0], [4.0, 2.0]], [[4.0, 5.0]]]
    """
    moves = np.asarray(moves, dtype=np.float64)
    points, ends = moves[:, :2].cumsum(axis=0), np.flatnonzero(moves[:, 2] > 0.5) + 1
    return [line for line in np.split(points, ends) if len(line)]


def size_of(moves: np.ndarray) -> float:
    """Return the longer side of what moves `(points, 3)` draw, a single number.

    >>> size_of(np.array([[1, 2, 0], [3, 0, 1], [0, 5, 1]]))
    5.0
    """
    if not len(moves):
        return 0.0
    points = np.asarray(moves, dtype=np.float64)[:, :2].cumsum(axis=0)
    return float(np.ptp(points, axis=0).max())


def cut(moves: np.ndarray, longest: float) -> np.ndarray:
    """Return moves `(points, 3)` with those of a pen that is down in even pieces no longer than `longest`; 0 cuts none.

    >>> cut(np.array([[0, 0, 0], [4, 0, 1], [9, 9, 0]]), 2.0).tolist()
    [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.0, 1.0], [9.0, 9.0, 0.0]]
    """
    moves = np.asarray(moves, dtype=np.float32)
    if not longest or not len(moves):
        return moves
    pieces = np.ceil(np.hypot(moves[:, 0], moves[:, 1]) / longest).clip(1).astype(int)
    pieces[np.concatenate([[True], moves[:-1, 2] > 0.5])] = 1
    fine = np.repeat(moves / np.column_stack([pieces, pieces, np.ones(len(moves))]), pieces, axis=0)
    fine[:, 2] = 0
    fine[pieces.cumsum() - 1, 2] = moves[:, 2]
    return fine.astype(np.float32)


def simplified(line: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the points `(fewer, 2)` of a line `(points, 2)` from which it never runs further away than `tolerance`.

    Source: Douglas and Peucker, Algorithms for the reduction of the number of points required to represent a digitized
    line (1973).

    >>> simplified(np.array([[0.0, 0.0], [5.0, 0.1], [10.0, 0.0], [10.0, 9.0]]), 1.0).tolist()
    [[0.0, 0.0], [10.0, 0.0], [10.0, 9.0]]
    """
    points = np.asarray(line, dtype=np.float64)
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    pieces = [(0, len(points) - 1)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        between = _distances(points[first + 1 : last], points[first], points[last])
        farthest = int(between.argmax())
        if between[farthest] > tolerance:
            middle = first + 1 + farthest
            kept[middle] = True
            pieces += [(first, middle), (middle, last)]
    return points[kept]


def _distances(points: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return how far points `(points, 2)` lie from the stretch between two others, `(points,)`."""
    way = last - first
    length = float(way @ way)
    share = ((points - first) @ way / length).clip(0, 1) if length else np.zeros(len(points))
    return np.hypot(*(points - first - share[:, None] * way).T)
