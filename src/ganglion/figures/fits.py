"""A function of one input as a network has it, and the units that it is the sum of."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from ganglion.figures.style import BLUE, INK, MUTED, RED, panels, styled
from ganglion.figures.words import text

MOST = 200
"""Curves or circles that can still be told apart."""


@styled
def fit(
    across: np.ndarray,
    curve: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    parts: np.ndarray | None = None,
    names: Sequence[str] = ("input", "output"),
) -> Figure:
    """Draw a function of one input through its samples, and below what each unit adds to it.

    Args:
        across: inputs, (points,), in order.
        curve: the network's outputs there, (points,).
        samples: inputs and targets, (samples,) each.
        parts: what each unit adds, (units, points); none are drawn without.
        names: of the input and of the output.
    """
    figure, axes = panels(1 if parts is None else 2, columns=1, width=6.4, height=3.2)
    axes[0].scatter(*samples, s=12, color=BLUE, alpha=0.5, linewidth=0, label="samples")
    axes[0].plot(across, curve, color=RED, linewidth=2, label="the network")
    axes[0].set(title="What the network makes of its input", xlabel=text(names[0], 40), ylabel=text(names[1], 40))
    axes[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    if parts is not None:
        axes[1].plot(across, parts[:MOST].T, linewidth=0.9, alpha=0.8)
        axes[1].axhline(0, color=MUTED, linewidth=0.8)
        axes[1].set(title="What each unit adds", xlabel=text(names[0], 40), ylabel=text(names[1], 40))
    return figure


def add_circles(panel: Axes, centres: np.ndarray, radii: np.ndarray) -> None:
    """Draw units over two inputs: a dot at each of the centres (units, 2), a circle of the radii (units, 2) around."""
    limits = panel.axis()
    for centre, (width, height) in zip(centres[:MOST].tolist(), radii[:MOST].tolist(), strict=True):
        panel.add_patch(
            Ellipse(tuple(centre), 2 * width, 2 * height, fill=False, edgecolor=INK, linewidth=0.8, alpha=0.55)
        )
    x, y = centres[:MOST].T
    panel.scatter(x, y, s=18, color=INK, marker="+", linewidth=1.1, label="centre")
    panel.axis(limits)
