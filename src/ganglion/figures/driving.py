"""What a network that steers has learnt, and how far it gets."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, INK, MUTED, PAPER, RED, panels, styled
from ganglion.figures.words import text

GROUND, ROAD = "#9aa3ad", "#d9dee3"


class Way(NamedTuple):
    """How a driver went along one road."""

    places: np.ndarray
    """(steps, 2), in metres."""
    metres: float
    left: bool
    """Whether it left the road."""


@styled
def drives(
    middles: np.ndarray, widths: np.ndarray, ways: Mapping[str, Sequence[Way]], title: str, columns: int = 4
) -> Figure:
    """Draw roads from above, and the ways of drivers, the last of them on top, with a cross where one left the road.

    Args:
        middles: of the roads (roads, points, 2), in metres.
        widths: of the roads (roads,), in metres.
        ways: by the name of the driver, one for each road; of two drivers.
        title: a sentence.
    """
    figure, axes = panels(len(middles), columns=columns, width=2.7, height=2.1)
    for number, (panel, middle, width) in enumerate(zip(axes, middles, widths, strict=True)):
        _road(panel, middle, float(width))
        said = []
        for place, (name, every) in enumerate(ways.items()):
            way, last = every[number], place == len(ways) - 1
            colour = BLUE if last else RED
            panel.plot(*way.places.T, color=colour, linewidth=1.1 if last else 2.6, label=name)
            if way.left:
                panel.plot(*way.places[-1], "x", color=colour, markersize=7, markeredgewidth=2)
            said.append(f"{way.metres:.0f}")
        panel.set_title(f"road {number + 1}: {', '.join(said)} m", fontsize=8.5)
        panel.set_aspect("equal", adjustable="datalim")
        panel.set_axis_off()
    figure.suptitle(text(title, 140), fontsize="medium", fontweight="bold", x=0.01, ha="left")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure


def _road(panel: Axes, middle: np.ndarray, width: float) -> None:
    """Draw the ground that a road covers, as wide as it is."""
    along = np.gradient(middle, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    left = np.stack([-along[:, 1], along[:, 0]], axis=1) * width / 2
    outline = np.concatenate([middle + left, (middle - left)[::-1]])
    panel.fill(*outline.T, color=ROAD, linewidth=0)
    panel.plot(*middle.T, color=PAPER, linewidth=0.8)


@styled
def unit_weights(incoming: np.ndarray, outgoing: np.ndarray) -> Figure:
    """Draw the weights of hidden units as squares: white ones are positive, black ones negative, larger ones stronger.

    Args:
        incoming: from the pixels of a retina to each unit (units, height, width).
        outgoing: from each unit to the outputs (units, outputs), drawn above.

    Source: Hinton and Shallice (1991) drew weights so, and so do the papers on ALVINN.
    """
    units = len(incoming)
    columns = min(units, 4)
    figure, axes = panels(2 * math.ceil(units / columns) * columns, columns=columns, width=2.4, height=1.4)
    figure.set_size_inches(max(2.5 * columns, 5.2), 2.9 * math.ceil(units / columns) + 0.3)
    layout = [(0.14, 0.86)] * math.ceil(units / columns)
    axes[0].get_gridspec().set_height_ratios([share for pair in layout for share in pair])  # type: ignore[union-attr]
    for panel in axes:
        panel.set_axis_off()
    for unit in range(units):
        row, column = divmod(unit, columns)
        above, below = (axes[(2 * row + part) * columns + column] for part in (0, 1))
        _squares(above, outgoing[unit][None], np.abs(outgoing).max())
        _squares(below, incoming[unit], np.quantile(np.abs(incoming), 0.995))
        above.set_title(f"unit {unit + 1}", fontsize=8.5, color=MUTED)
    title = f"Weights of {units} hidden units: above, to the directions from left to right; below, from the retina"
    figure.suptitle(title, fontsize="medium", fontweight="bold", x=0.01, ha="left")
    return figure


def _squares(panel: Axes, weights: np.ndarray, largest: float) -> None:
    """Draw a matrix of weights (rows, columns), the largest of which fills its place."""
    panel.set_axis_on()
    panel.set(xticks=[], yticks=[], facecolor=GROUND, xlim=(-0.5, weights.shape[1] - 0.5))
    panel.set(ylim=(weights.shape[0] - 0.5, -0.5), aspect="equal")
    for spine in panel.spines.values():
        spine.set(visible=True, color=GROUND)
    down, across = np.indices(weights.shape)
    half = 0.47 * np.sqrt((np.abs(weights) / (largest or 1.0)).clip(max=1.0))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    middles = np.stack([across, down], axis=-1)
    squares = middles[..., None, :] + half[..., None, None] * corners
    for is_shown, colour in ((weights > 0, PAPER), (weights < 0, INK)):
        panel.add_collection(PolyCollection(squares[is_shown], facecolors=colour, linewidths=0))
