"""Pages of drawings of a pen."""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ganglion.figures.images.pen import GIVEN, NEW, Drawn, in_cell, usual_size
from ganglion.figures.style import empty, styled
from ganglion.figures.words import text

CELL, NAMED = 1.15, 1.25
"""Inches of a cell, and beside a row for its name."""


@styled
def drawings(rows: Sequence[Sequence[Drawn]], names: Sequence[str] = (), title: str = "") -> Figure:
    """Draw rows of drawings with a name beside each row, all at one scale; what was given is blue."""
    columns = max(map(len, rows), default=0)
    every = [one for row in rows for one in row]
    if not columns or not any(len(one.lines) for one in every):
        return empty("no drawings")
    named = NAMED if names else 0.0
    width, height = named + columns * CELL, len(rows) * CELL + 0.4
    figure = Figure(figsize=(width, height))
    panel = figure.add_axes((named / width, 0, columns * CELL / width, len(rows) * CELL / height))
    panel.set(xlim=(0, columns), ylim=(len(rows), 0))
    panel.set_axis_off()
    usual = usual_size(every)
    for row, name in enumerate(names):
        panel.text(-0.08, row + 0.5, text(name, 22), ha="right", va="center")
    for row, cells in enumerate(rows):
        for column, one in enumerate(cells):
            placed = in_cell(one.lines, usual, np.array([column + 0.5, row + 0.5]))
            for part, shade in ((placed[: one.given], GIVEN), (placed[one.given :], NEW)):
                panel.add_collection(LineCollection(part, colors=shade, linewidths=1.1, capstyle="round"))
    figure.text(0.1 / width, 1 - 0.1 / height, title, weight="bold", ha="left", va="top", fontsize=10.5)
    return figure
