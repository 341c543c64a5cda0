"""Drawings of machines that give states an energy: what pulls at what, and what warmth does."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREY, MUTED, RED, SIGNED, panels, styled
from ganglion.figures.training import ticks


@styled
def couplings(weights: np.ndarray, names: Sequence[str], biases: np.ndarray) -> Figure:
    """Draw the weight between every two units, (units, units), and the bias of each, (units,), as shaded squares."""
    reach = float(max(np.abs(weights).max(), np.abs(biases).max(), 1e-12))
    side = float(np.clip(0.28 * len(names) + 1.6, 3.6, 12))
    figure, (panel,) = panels(1, width=side + 1.6, height=side)
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, weights)
    shown = np.concatenate([shown, biases[:, None]], axis=1)
    image = panel.imshow(shown, cmap=SIGNED, vmin=-reach, vmax=reach, interpolation="nearest")
    panel.axvline(len(names) - 0.5, color=MUTED, linewidth=1)
    panel.set_title("Weights between units, and biases")
    ticks(panel, names, [*names, "bias"])
    bar = figure.colorbar(image, ax=panel, pad=0.02, shrink=0.9, aspect=30)
    bar.outline.set_visible(False)
    return figure


@styled
def temperatures(values: np.ndarray, shares: np.ndarray, chance: float) -> Figure:
    """Draw at each temperature, (temperatures,), the share of time that patterns are shown, (temperatures,).

    `chance` is that share for units that do not feel each other.
    """
    figure, (panel,) = panels(1, width=6.4, height=3.0)
    panel.plot(values, shares, color=BLUE)
    panel.axvline(1.0, color=RED, linewidth=1.2, linestyle=(0, (5, 3)), label="where it learnt")
    panel.axhline(chance, color=GREY, linewidth=1.2, label="units by themselves")
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_ylim(0, 1.02)
    panel.set_xlabel("temperature")
    panel.set_ylabel("share of time")
    panel.set_title("Time spent in patterns of the data")
    panel.legend(loc="best")
    return figure


@styled
def rows_by_column(
    tables: Mapping[str, np.ndarray], columns: Sequence[str], *, row: str, label: str, signed: bool
) -> Figure:
    """Draw tables side by side, all (rows, columns), as shaded squares with the names of the columns below.

    Args:
        tables: by what they show.
        columns: names.
        row: what a row is, in the singular.
        label: what the shades are.
        signed: shade numbers around zero, instead of from 0 to 1.
    """
    count = max(map(len, tables.values()))
    height = float(np.clip(0.16 * count + 1.8, 3.2, 9))
    width = float(np.clip(0.3 * len(columns) + 1.2, 2.8, 7))
    figure, axes = panels(len(tables), columns=len(tables), width=width, height=height)
    finite = np.concatenate([np.abs(one[np.isfinite(one)]) for one in tables.values()] or [np.ones(1)])
    reach = float(np.quantile(finite, 0.995)) if finite.size else 1.0  # a few large ones must not turn all others white
    shades = {"cmap": SIGNED, "vmin": -(reach or 1.0), "vmax": reach or 1.0} if signed else {"vmin": 0.0, "vmax": 1.0}
    for panel, (name, table) in zip(axes, tables.items(), strict=True):
        image = panel.imshow(table, aspect="auto", interpolation="nearest", **shades)
        ticks(panel, [str(number + 1) for number in range(len(table))], columns)
        panel.tick_params(axis="x", rotation=90)
        panel.set_title(name)
        panel.set_ylabel(row)
    bar = figure.colorbar(image, ax=axes, pad=0.02, shrink=0.9, aspect=30)
    bar.outline.set_visible(False)
    bar.set_label(label)
    return figure
