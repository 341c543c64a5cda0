"""One look for every figure, set locally: palette, rules of drawing, and helpers that the drawings share."""

import functools
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ganglion.figures.words import text

INK, MUTED, FAINT, PAPER = "#1f2933", "#6b7785", "#e3e7ec", "#ffffff"
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#cdbb1c", "#7f8790",
)  # fmt: skip
PALETTE = (BLUE, RED, GREEN, ORANGE, PINK, SKY, YELLOW, "#5b3a8c", "#8c510a", GREY)
"""Okabe and Ito's colours, which colour-blind readers can tell apart, and three more for sets of ten classes."""

SIGNED = LinearSegmentedColormap.from_list("signed", ["#8c2d04", RED, "#fdd0a2", "#f7f7f7", "#b5d7ec", BLUE, "#08306b"])
"""Orange below zero, near-white at zero, blue above."""

DOTS_PER_INCH = 120
SPACE = ".space.json"
"""Ending of the file of points beside a picture of them."""

_RULES: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": True,
    "figure.facecolor": PAPER,
    "figure.dpi": DOTS_PER_INCH,
    "axes.facecolor": PAPER,
    "axes.edgecolor": "#aab3bd",
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.formatter.useoffset": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": "#aab3bd",
    "ytick.color": "#aab3bd",
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.5,
    "image.cmap": "gray",
}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let `draw` run under the house style and leave matplotlib's settings as they were."""

    @functools.wraps(draw)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # The user's own settings must not show either, save for the choice of a backend.
        defaults = {name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")}
        rules: Any = {**defaults, **_RULES}
        with mpl.rc_context(rules):
            return draw(*args, **kwargs)

    return wrapper


class Turnable(Figure):
    """A figure of points in space; what a report needs to turn them is written beside the picture."""

    space: dict[str, Any]
    """`points` as lists of x, y, z in [-1, 1] and the number of a class, and `names` and `colours` by that number."""


def save(figure: Figure, path: str | Path) -> Path:
    """Write `figure` as PNG, creating the folder, and return the path; of one in space also its points, as JSON."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Label names may be in scripts that the bundled font cannot draw; boxes are better than no figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.set_dpi(DOTS_PER_INCH)
        FigureCanvasAgg(figure).print_png(path)  # `savefig` would draw everything twice, once only to lay it out
    if isinstance(figure, Turnable):
        path.with_suffix(SPACE).write_text(json.dumps(figure.space, separators=(",", ":")), encoding="utf-8")
    return path


def panels(
    count: int, *, columns: int = 3, width: float = 4.0, height: float = 2.8, kind: type[Figure] = Figure
) -> tuple[Any, list[Axes]]:
    """Return a figure of `count` panels, filled row by row."""
    columns = max(1, min(columns, count))
    rows = max(1, math.ceil(count / columns))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    # A narrow figure would leave no room for its title or legend.
    figure = kind(figsize=(max(width * columns, 5.2), height * rows + 0.2), layout=layout)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in grid[count:]:
        unused.set_axis_off()
    return figure, list(grid[:count])


def empty(reason: str) -> Figure:
    """Return a figure that says why there is nothing to draw."""
    figure = Figure(figsize=(5.2, 1.6))
    figure.text(0.5, 0.5, text(reason, 80), ha="center", va="center", color=MUTED)
    return figure


def colours(count: int) -> list[str]:
    """Return `count` colours: the palette as far as it goes, evenly spaced hues beyond."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [to_hex(colour) for colour in mpl.colormaps["turbo"](np.linspace(0.03, 0.97, count))]
