"""What speaks for a network having made a picture, at each place of it, and how much of it is left after distortion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.images.tiles import signed_shades
from ganglion.figures.style import FAINT, INK, MUTED, colours, panels, styled
from ganglion.figures.words import text

CHANCE = 0.5


def evidence_over(pixels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return pictures in pale grey under the colour of evidence in them, bytes (samples, height, width, 3).

    Args:
        pixels: (samples, height, width, 3) in [0, 1].
        shares: evidence (samples, height, width): orange above zero, blue below, in full colour at 1 and -1.
    """
    pale = 0.55 + 0.45 * pixels.mean(axis=-1, keepdims=True)
    weight = 0.85 * np.clip(np.abs(shares), 0, 1)[..., None]
    shown = (1 - weight) * pale + weight * signed_shades(-0.7 * np.sign(shares))
    return np.rint(shown.clip(0, 1) * 255).astype(np.uint8)


@styled
def robustness_curves(
    undistorted: Mapping[str, float],
    distorted: Mapping[str, tuple[Sequence[float], Mapping[str, np.ndarray]]],
    marked: str = "",
) -> Figure:
    """Draw how well each kind of pictures is told from real ones, by how much it was distorted.

    Args:
        undistorted: average precision by kind.
        distorted: by the name of a distortion, its amounts and for each kind the average precision (amounts,).
        marked: kind that was never learnt from.
    """
    figure, axes = panels(len(distorted), columns=len(distorted), width=3.6, height=3.4)
    for panel, (name, (amounts, curves)) in zip(axes, distorted.items(), strict=True):
        places = np.arange(1 + len(amounts))
        for (kind, values), colour in zip(curves.items(), colours(len(curves)), strict=True):
            heavy = kind == marked
            label = f"{text(kind, 24)} (left out)" if heavy else text(kind, 24)
            style: dict[str, Any] = {"color": INK if heavy else colour, "linewidth": 2.6 if heavy else 1.6}
            panel.plot(places, [undistorted[kind], *values], "o-", label=label, markersize=4, **style)
        panel.axhline(CHANCE, color=MUTED, linestyle="--", linewidth=1)
        panel.set_xticks(places, ["as is", *(f"{amount:g}" for amount in amounts)])
        panel.set(ylim=(0.4, 1.02), xlabel=name)
        panel.grid(axis="y", color=FAINT)
    axes[0].set(ylabel="average precision", title="What is left after distortion")
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
