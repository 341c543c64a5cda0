"""How near pictures come to what they were, by the size of their files."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREEN, ORANGE, RED, panels, styled

MEASURES = {"psnr": "PSNR (dB)", "ms_ssim": "MS-SSIM (dB)"}
SHADES = (RED, BLUE, ORANGE, GREEN)


@styled
def rates(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw what formats reach by bits a pixel: decibels of the error, and -10 log10 (1 - MS-SSIM).

    Args:
        curves: by format, `bits_per_pixel`, `psnr` and `ms_ssim`, (points,) each; the first is the one that matters.
    """
    figure, axes = panels(2, columns=2, width=4.6, height=3.6)
    first = next(iter(curves.values()))["bits_per_pixel"]
    low, high = float(first.min()) * 0.8, float(first.max()) * 1.1
    for panel, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        for number, (name, points) in enumerate(curves.items()):
            values = points[measure] if measure == "psnr" else -10 * np.log10(np.maximum(1 - points[measure], 1e-6))
            within = (points["bits_per_pixel"] >= low * 0.5) & (points["bits_per_pixel"] <= high * 1.3)
            width = 2.2 if not number else 1.4
            panel.plot(
                points["bits_per_pixel"][within],
                values[within],
                marker="o",
                markersize=3.5,
                linewidth=width,
                color=SHADES[number % len(SHADES)],
                label=name,
            )
        panel.set(xlabel="bits per pixel", title=label, xlim=(0, high))
        panel.grid(True)
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
