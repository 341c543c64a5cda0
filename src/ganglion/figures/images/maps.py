"""Maps of codes: points coloured by class, the samples themselves in their places, and space that can be turned."""

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ganglion.figures.images.pixels import to_pixels
from ganglion.figures.style import GREY, PAPER, Turnable, colours, empty, panels, styled
from ganglion.figures.words import text

LEGEND: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
CELLS = 22, 16
"""Pictures side by side and on top of each other, on a map full of them."""
FRAME = 0.1
"""Part of a cell on each side of a picture that shows its class."""
TURN, TILT = np.radians(35.0), np.radians(25.0)
"""From where space is seen before anybody turns it."""


@styled
def code_map(codes: np.ndarray, labels: np.ndarray | None = None, names: Sequence[object] = ()) -> Figure:
    """Draw codes `(samples, features)` as points, coloured by class where `labels` are given.

    Codes of three features are a space that reports let one turn; those of more are shown along their two principal
    axes.
    """
    points = np.asarray(codes, dtype=float).reshape(len(codes), -1)
    keep = np.isfinite(points).all(axis=1)
    points, truth = points[keep], np.zeros(keep.sum(), int) if labels is None else np.asarray(labels)[keep].astype(int)
    if not len(points):
        return empty("no codes")
    if points.shape[1] == 3:
        return _in_space(points, truth, names if labels is not None else ("",))
    points, axes_names = _on_plane(points)
    figure, (panel,) = panels(1, width=6.6, height=4.9)
    shades = colours(max(int(truth.max()) + 1, len(names)))
    by_class(panel, points, truth, names if labels is not None else ("",), shades, size=9)
    if labels is not None and 1 < len(np.unique(truth)) <= 20:
        outline = [matplotlib.patheffects.withStroke(linewidth=2.5, foreground=PAPER)]
        for label in np.unique(truth):
            name = text(names[label] if label < len(names) else label, 12)
            x, y = np.median(points[truth == label], axis=0)
            panel.text(x, y, name, weight="bold", ha="center", va="center", path_effects=outline)
    panel.set_title("Code map")
    panel.set(xlabel=axes_names[0], ylabel=axes_names[1])
    panel.grid()
    return figure


@styled
def picture_map(
    codes: np.ndarray, images: np.ndarray, labels: np.ndarray | None = None, names: Sequence[object] = ()
) -> Figure:
    """Draw samples, `(samples, height, width, channels)`, where their codes `(samples, features)` are.

    The plane is cut into cells; each shows the sample nearest to its middle, in a frame of its class's colour where
    `labels` are given. Codes of more than two features are shown along their two principal axes.
    """
    points = np.asarray(codes, dtype=float).reshape(len(codes), -1)
    keep = np.isfinite(points).all(axis=1)
    points, pixels = points[keep], to_pixels(np.asarray(images)[keep])
    truth = None if labels is None else np.asarray(labels)[keep].astype(int)
    if not len(points):
        return empty("no codes")
    points, axes_names = _on_plane(points)
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    step = np.maximum(high - low, 1e-9) / CELLS
    shades = [GREY] if truth is None else colours(max(int(truth.max()) + 1, len(names)))
    figure, (panel,) = panels(1, width=9.6, height=7.4)
    for place, sample in _nearest_to_middles(points, low, step).items():
        corner = low + np.array(place) * step
        shade = shades[0 if truth is None else truth[sample]]
        panel.add_patch(Rectangle(tuple(corner), *step, facecolor=shade, linewidth=0))
        inner = corner + FRAME * step, corner + (1 - FRAME) * step
        extent = (inner[0][0], inner[1][0], inner[0][1], inner[1][1])
        panel.imshow(pixels[sample], extent=extent, aspect="auto", zorder=2)
    present = [] if truth is None else np.unique(truth).tolist()
    if 1 < len(present) <= 40:
        marks = [Patch(color=shades[one], label=text(names[one] if one < len(names) else one)) for one in present]
        panel.legend(handles=marks, **LEGEND, ncols=1 if len(present) <= 20 else 2)
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=axes_names[0], ylabel=axes_names[1])
    panel.set_title("Samples where their codes are")
    return figure


def _nearest_to_middles(points: np.ndarray, low: np.ndarray, step: np.ndarray) -> dict[tuple[int, int], int]:
    """Return for each cell of the plane that has points (samples, 2) the one nearest to its middle."""
    places = np.floor((points - low) / step).astype(int)
    within = ((places >= 0) & (places < CELLS)).all(axis=1)
    distance = (((points - low) / step - places - 0.5) ** 2).sum(axis=1)
    nearest: dict[tuple[int, int], int] = {}
    for sample in np.flatnonzero(within)[np.argsort(-distance[within], kind="stable")]:
        nearest[int(places[sample][0]), int(places[sample][1])] = int(sample)
    return nearest


def _in_space(points: np.ndarray, truth: np.ndarray, names: Sequence[object]) -> Figure:
    """Draw points (samples, 3) as seen from one side, with what a report needs to show them from all."""
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    centred = (points - middle) / max(float(np.abs(points - middle).max()), 1e-12)
    shades = colours(max(int(truth.max()) + 1, len(names)))
    figure, (panel,) = panels(1, width=6.6, height=4.9, kind=Turnable)
    x, y, z = centred.T
    across, away = np.cos(TURN) * x - np.sin(TURN) * y, np.sin(TURN) * x + np.cos(TURN) * y
    seen = np.stack([across, np.cos(TILT) * z + np.sin(TILT) * away], axis=1)
    by_class(panel, seen, truth, names, shades, size=9)
    panel.set_title("Code map of three numbers, seen from one side")
    panel.set_axis_off()
    figure.space = {
        "points": [[*map(float, point), int(one)] for point, one in zip(centred.round(3), truth, strict=True)],
        "names": [text(names[one] if one < len(names) else one) for one in range(len(shades))],
        "colours": list(shades),
    }
    return figure


def _on_plane(points: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Return points (samples, 2) of any number of features, and what the axes are called."""
    if points.shape[1] == 1:
        return np.column_stack([points[:, 0], np.zeros(len(points))]), ("code", "")
    if points.shape[1] == 2:
        return points, ("code 1", "code 2")
    centred = points - points.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)  # from the smallest up
    shares = variances[:-3:-1] / max(variances.sum(), 1e-12)
    return centred @ axes[:, :-3:-1], (f"axis 1 ({shares[0]:.0%} of the variance)", f"axis 2 ({shares[1]:.0%})")


def by_class(
    panel: Axes, points: np.ndarray, truth: np.ndarray, names: Sequence[object], shades: Sequence[str], size: float
) -> None:
    """Scatter points (samples, 2) in the colours of their classes (samples,), with a legend."""
    for label in np.unique(truth):
        chosen, name = truth == label, text(names[label] if label < len(names) else label)
        x, y = points[chosen].T
        panel.scatter(x, y, s=size, color=shades[label], label=name, edgecolor=PAPER, linewidth=0.4)
    count = len(np.unique(truth))
    if 1 < count <= 40:
        panel.legend(**LEGEND, ncols=1 if count <= 20 else 2, markerscale=1.6, handletextpad=0.2)
