"""Functions of one number with their derivatives."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, FAINT, RED, panels, styled
from ganglion.figures.words import text


@styled
def function_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Draw functions and their derivatives, a panel for each.

    Args:
        curves: places, values and slopes, (points,) each, by the name of the function.
    """
    figure, axes = panels(len(curves), columns=5, width=2.5, height=2.0)
    for panel, (name, (places, values, slopes)) in zip(axes, curves.items(), strict=True):
        panel.axhline(0, color=FAINT, linewidth=1)
        panel.axvline(0, color=FAINT, linewidth=1)
        panel.plot(places, values, color=BLUE, label="function")
        panel.plot(places, slopes, color=RED, linewidth=1.2, label="derivative")
        panel.set_ylim(
            max(-3.0, min(values.min(), slopes.min()) - 0.3), min(5.5, max(values.max(), slopes.max()) + 0.3)
        )
        panel.set_title(text(name, 24))
    axes[0].legend(loc="upper left", fontsize=7)
    return figure
