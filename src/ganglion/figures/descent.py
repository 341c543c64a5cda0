"""Ways of gradient descent over a loss of two numbers, as a picture and as the frames of a film."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.colors as mcolors
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from ganglion.figures.style import GREY, INK, MUTED, PAPER, colours, styled
from ganglion.figures.words import text

LEVELS = 14
"""Lines of equal loss."""
FRAMES, REST = 60, 15
"""Frames in which the ways are gone, at most, and in which they then stay."""


class Ground(NamedTuple):
    """A loss of two numbers on a grid."""

    across: np.ndarray
    """(places across,)."""
    up: np.ndarray
    """(places up,)."""
    losses: np.ndarray
    """(places up, places across)."""
    axes: tuple[str, str]
    """What the numbers are called."""
    title: str


Ways = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""By name, the points (updates + 1, 2) of a way and the losses there (updates + 1,)."""


@styled
def descents(ground: Ground, panels: Mapping[str, Ways]) -> Figure:
    """Draw ways over lines of equal loss, a panel for each group of ways, and their losses by the update below.

    Args:
        panels: ways by the title of their panel.
    """
    figure = Figure(figsize=(5.6 * len(panels), 7.4), layout="constrained")
    grid = figure.subplots(2, len(panels), squeeze=False, height_ratios=(3, 1.25))
    for (above, below), (title, ways) in zip(grid.T, panels.items(), strict=True):
        _contours(above, ground)
        for (name, (points, losses)), colour in zip(ways.items(), colours(len(ways)), strict=True):
            above.plot(*points.T, color=colour, linewidth=1.4, marker="o", markersize=2, label=name)
            above.plot(*points[-1], "o", color=colour, markersize=6, markeredgecolor=PAPER)
            below.plot(np.maximum(losses, 1e-12), color=colour, linewidth=1.3)
        above.plot(*next(iter(ways.values()))[0][0], "s", color=INK, markersize=6, label="start")
        above.set(xlim=ground.across[[0, -1]], ylim=ground.up[[0, -1]])
        above.set_title(text(title, 60))
        above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        below.set(yscale="log", xlabel="update", ylabel="loss of all samples")
    figure.suptitle(text(ground.title, 100), fontsize="medium", x=0.01, ha="left", color=MUTED)
    return figure


def _contours(panel: Axes, ground: Ground) -> None:
    """Draw the loss as shades and lines, closer together where it is low."""
    losses = ground.losses - ground.losses.min()
    shares = (losses / (np.quantile(losses, 0.98) or 1.0)).clip(0, 1) ** 0.35
    levels = np.linspace(0, 1, LEVELS)
    shades = mcolors.LinearSegmentedColormap.from_list("depth", ["#dbe9f4", "#f6f8fa", "#fdf3e3"])
    panel.contourf(ground.across, ground.up, shares, levels=levels, cmap=shades)
    panel.contour(ground.across, ground.up, shares, levels=levels, colors=[GREY], linewidths=0.5, alpha=0.7)
    panel.set(xlabel=ground.axes[0], ylabel=ground.axes[1])


@styled
def descent_frames(ground: Ground, ways: Ways) -> np.ndarray:
    """Return a film of ways that are gone at the same time, update by update, bytes (frames, height, width, 3)."""
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    panel = figure.subplots()
    _contours(panel, ground)
    panel.set(xlim=ground.across[[0, -1]], ylim=ground.up[[0, -1]])
    shades = dict(zip(ways, colours(len(ways)), strict=True))
    for name, colour in shades.items():
        panel.plot([], [], color=colour, marker="o", label=name)
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    panel.set_title(text(ground.title, 70), fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    box = panel.get_window_extent()
    placed = {name: _on_page(panel, points, page.height) for name, (points, _) in ways.items()}
    window = (box.x0, page.height - box.y1, box.x1, page.height - box.y0)
    longest = max(map(len, placed.values()))
    numbers = np.unique(np.linspace(1, longest, min(FRAMES, longest)).round().astype(int))
    frames = [_frame(page, window, placed, shades, int(number)) for number in numbers]
    return np.stack([*frames, *frames[-1:] * REST])


def _on_page(panel: Axes, points: np.ndarray, height: int) -> np.ndarray:
    placed = panel.transData.transform(points)
    return np.stack([placed[:, 0], height - placed[:, 1]], axis=1).clip(-4000, 4000)


def _frame(
    page: Image.Image,
    window: tuple[float, float, float, float],
    placed: Mapping[str, np.ndarray],
    shades: Mapping[str, str],
    number: int,
) -> np.ndarray:
    drawn = page.copy()
    pen = ImageDraw.Draw(drawn)
    for name, points in placed.items():
        gone = [(float(x), float(y)) for x, y in points[:number]]
        if len(gone) > 1:
            pen.line(gone, fill=shades[name], width=2, joint="curve")
        x, y = gone[-1]
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=shades[name], outline=PAPER)
    left, top, right, bottom = (round(edge) for edge in window)
    clipped = page.copy()
    clipped.paste(drawn.crop((left, top, right, bottom)), (left, top))
    ImageDraw.Draw(clipped).text((left + 6, bottom - 16), f"update {number - 1}", fill=INK)
    return np.asarray(clipped)
