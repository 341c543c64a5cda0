"""Real and generated points or numbers, over what a discriminator says of every place."""

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREY, INK, RED, SIGNED, panels, styled
from ganglion.figures.words import text


@styled
def points_beside(
    real: np.ndarray,
    generated: np.ndarray,
    judged: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    names: tuple[str, ...] = (),
) -> Figure:
    """Draw real and generated points `(samples, 2)` on each other.

    Args:
        judged: a grid `(height, width)` of places across and up, and what the discriminator says there: warm colours
            and lines where it takes a point for generated, cold where for real.
        names: of both columns.
    """
    figure, (panel,) = panels(1, width=6.2, height=5.2)
    if judged is not None:
        across, up, said = judged
        middle, spread = np.median(said), max(float(np.ptp(said)) / 2, 1e-12)
        levels = np.linspace(said.min(), said.max() + 1e-12, 13)
        panel.contourf(across, up, said, levels, cmap=SIGNED, vmin=middle - spread, vmax=middle + spread, alpha=0.45)
        panel.contour(across, up, said, levels[::3], colors=INK, linewidths=0.4, alpha=0.5)
    panel.scatter(real[:, 0], real[:, 1], s=7, color=GREY, label="real", linewidth=0)
    panel.scatter(generated[:, 0], generated[:, 1], s=7, color=RED, label="generated", linewidth=0, alpha=0.7)
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2, handletextpad=0.2)
    panel.set_title("Real and generated" + (", over the discriminator's opinion" if judged else ""))
    if len(names) == 2:
        panel.set(xlabel=text(names[0], 40), ylabel=text(names[1], 40))
    return figure


@styled
def densities(
    places: np.ndarray,
    real: np.ndarray,
    generated: np.ndarray,
    learnt: np.ndarray | None = None,
    best: np.ndarray | None = None,
    name: str = "value",
) -> Figure:
    """Draw the densities of real and generated numbers, and below them the learnt discriminator beside the best one.

    Args:
        places: numbers `(places,)` that all the others are values at, (places,) too.
        learnt: what the discriminator says, from 0 to 1 where it speaks of probabilities.
        best: p / (p + q) of the two densities, the reply that it should give.
    """
    figure, (above, *below) = panels(1 if learnt is None else 2, columns=1, width=6.2, height=2.5)
    above.plot(places, real, color=GREY, label="real")
    above.plot(places, generated, color=RED, label="generated")
    above.set_title("Densities")
    for panel in below:
        assert learnt is not None
        panel.plot(places, learnt, color=BLUE, label="learnt")
        if best is not None:
            panel.plot(places, best, color=INK, linestyle="--", linewidth=1.2, label="best reply p / (p + q)")
        panel.set_title("The discriminator")
    for panel in (above, *below):
        panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
        panel.set_xlabel(text(name, 40))
    return figure
