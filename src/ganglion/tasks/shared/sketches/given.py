"""Drawings that somebody gives: fitted to those of training, and what is drawn of them fitted to theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.formats.strokes.reading import Drawing, drawings_in
from ganglion.data.preprocessing import StrokePreprocessing
from ganglion.data.strokes import Lines, cut, size_of
from ganglion.errors import DataError
from ganglion.tasks.shared.inputs import existing

FACTOR = 2.0
"""How many times larger or smaller than those of training a drawing may be before it is scaled."""
PAPER = 0.8
"""Share of the paper that a drawing fills."""


@dataclass(frozen=True)
class GivenDrawing:
    """A drawing that somebody gave, in the units of training."""

    name: str
    moves: np.ndarray
    """(points, 3)."""
    scale: float
    """How many times larger it was made."""
    begin: tuple[float, float]
    """Where its first point lay, in its own units."""

    def own(self, lines: Lines) -> Lines:
        """Return lines in units of training where they lie on the paper of this drawing."""
        return [line / self.scale + self.begin for line in lines]


def given_drawing(
    source: str, pen: StrokePreprocessing, window: int, scale: float | None = None, *, begun: bool = False
) -> tuple[GivenDrawing, tuple[str, ...]]:
    """Return the first drawing of a file, and what the user should know of it.

    Args:
        pen: what drawings of training are like.
        window: points of a drawing at most.
        scale: how many times larger the drawing becomes; found out by its size if not given.
        begun: whether more is to come, so that its size says little: then its paper counts.
    """
    found = _read(source)
    given, notes = _fitted(found[:1], pen, window, scale, begun=begun)
    more = (f"the first of {len(found):,} drawings is taken",) if len(found) > 1 else ()
    return given[0], (*more, *notes)


def given_drawings(
    inputs: Sequence[Any], pen: StrokePreprocessing, window: int
) -> tuple[list[GivenDrawing], tuple[str, ...]]:
    """Return all drawings of files, or arrays as they are, and what the user should know of them."""
    return _fitted([one for item in inputs for one in _read(item)], pen, window)


def titles(given: Sequence[GivenDrawing]) -> list[str]:
    """Return what is made of each drawing is called: after its file, all different."""
    stems = [Path(one.name).stem or "drawing" for one in given]
    return stems if len(set(stems)) == len(stems) else [f"{place:04}-{stem}" for place, stem in enumerate(stems, 1)]


def _fitted(
    found: Sequence[tuple[str, Drawing]],
    pen: StrokePreprocessing,
    window: int,
    scale: float | None = None,
    *,
    begun: bool = False,
) -> tuple[list[GivenDrawing], tuple[str, ...]]:
    """Return drawings at the scale and with the strides of those of training, and a note where they were scaled."""
    given = []
    for name, one in found:
        factor = scale or _factor(one, pen.size, begun=begun)
        moves = cut(one.moves * np.array([factor, factor, 1], np.float32), pen.stride)
        if not 0 < len(moves) <= window:
            raise DataError(
                "this drawing has no point"
                if not len(moves)
                else "this drawing has more points than the network takes",
                where=name,
                expected=f"1 to {window}",
                found=str(len(moves)),
                remedy="draw it with fewer points, or train with a larger --window",
            )
        given.append(GivenDrawing(name, moves, factor, one.begin))
    changed = sorted({f"{one.scale:.3g}" for one in given if one.scale != 1}, key=float)
    factors = " to ".join([*changed[:1], *changed[1:][-1:]])
    note = f"made {factors} times as large, to be like the drawings of training"
    return given, (note,) if changed and scale is None else ()


def _factor(one: Drawing, usual: float, *, begun: bool) -> float:
    """Return how many times larger a drawing becomes.

    One that was begun is scaled by its paper, where that is known, and else only where it is too large.
    """
    size = size_of(one.moves)
    if not size or not usual:
        return 1.0
    if begun and one.paper:
        return usual / (PAPER * one.paper)
    too_small = not begun and size < usual / FACTOR
    return usual / size if size > usual * FACTOR or too_small else 1.0


def _read(item: Any) -> list[tuple[str, Drawing]]:
    """Return the drawings of a file with their names, or an array of moves (points, 3)."""
    if isinstance(item, str | Path):
        found = drawings_in(existing(item))
        return [(str(item) if len(found) == 1 else f"{item}, {n}", one) for n, one in enumerate(found, 1)]
    array = np.asarray(item, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise DataError("this is no drawing", expected="moves (points, 3)", found=f"shape {array.shape}")
    return [("", Drawing(array))]


def short_enough(dataset: Dataset, window: int) -> Dataset:
    """Return data without drawings of more points than the network is made for."""
    long = np.array([len(one) > window for one in dataset.fields["inputs"].values])
    tested = dataset.test_fields.get("inputs")
    test_long = np.array([len(one) > window for one in tested.values] if tested else [], dtype=bool)
    left_out = int(long.sum() + test_long.sum())
    if not left_out:
        return dataset
    if long.all():
        raise DataError(
            "every drawing has more points than the network is made for",
            where=dataset.source or dataset.name,
            expected=f"at most {window}",
            found=f"{min(len(one) for one in dataset.fields['inputs'].values)} and more",
            remedy="allow more with --window",
        )
    kept = np.flatnonzero(~long)
    validation = dataset.validation
    if validation is not None:
        validation = np.flatnonzero(np.isin(kept, validation))
    fields = {name: one.take(np.flatnonzero(~test_long)) for name, one in dataset.test_fields.items()}
    short = replace(dataset.take(kept), test_fields=fields, validation=validation)
    return short.with_note(f"{left_out:,} drawings of more than {window} points are left out (--window)")
