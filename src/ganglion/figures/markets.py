"""What traders made of a price."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREY, INK, MUTED, PAPER, RED, styled
from ganglion.figures.words import text


@styled
def wealth(
    prices: np.ndarray, positions: np.ndarray, wealths: Mapping[str, np.ndarray], chance: np.ndarray, title: str
) -> Figure:
    """Draw wealth over time beside that of traders by chance, and below it the price and the positions in it.

    Args:
        prices: (time,).
        positions: from each price to the next, (time - 1,): -1, 0 or 1.
        wealths: of each strategy, (time,), beginning with 1.
        chance: of traders by chance, (traders, time).
        title: what came of it, a sentence.
    """
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    steps = np.arange(len(prices))
    low, high = np.quantile(chance, (0.05, 0.95), axis=0)
    above.fill_between(steps, low, high, color=GREY, alpha=0.25, linewidth=0, label="by chance, 90 of 100")
    for (name, values), colour in zip(wealths.items(), (RED, BLUE), strict=False):
        above.plot(steps, values, color=colour, linewidth=1.4, label=name)
    above.axhline(1, color=MUTED, linewidth=0.7)
    above.set_title(text(title, 120), fontsize="medium")
    above.set_ylabel("wealth, 1 at the beginning")
    above.margins(x=0.01)
    above.legend(loc="upper left", bbox_to_anchor=(1, 1))
    below.plot(steps, prices, color=INK, linewidth=0.9)
    extent = (0.0, float(len(positions)), *below.get_ylim())
    shades = ListedColormap([RED, PAPER, BLUE])
    below.imshow(positions[None], shades, aspect="auto", vmin=-1, vmax=1, alpha=0.25, extent=extent, zorder=0)
    for colour, name in ((BLUE, "long"), (RED, "short")):
        below.fill_between([], [], color=colour, alpha=0.25, linewidth=0, label=name)
    below.set(xlabel="step of the test part", ylabel="price")
    below.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
