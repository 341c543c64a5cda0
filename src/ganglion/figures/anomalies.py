"""Odd samples among normal ones: how large their errors are, how many are found, and where a series or a row is odd."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.images.tiles import signed_shades
from ganglion.figures.style import BLUE, FAINT, GREY, INK, MUTED, RED, colours, panels, styled
from ganglion.figures.words import number, text

MOST_COLUMNS = 16
"""Columns of a table that are drawn: those in which odd rows are oddest."""
MOST_LINES = 4
"""Columns of a series that are drawn."""


@styled
def errors_of_normal_and_odd(normal: np.ndarray, odd: np.ndarray, limit: float, title: str = "") -> Figure:
    """Draw how often errors (samples,) of each size occur among normal and odd samples, and the threshold."""
    figure, (panel,) = panels(1, width=6.4, height=3.2)
    both = np.concatenate([normal, odd])
    low = max(float(both.min()), float(both.max()) * 1e-6, 1e-12)
    edges = np.geomspace(low, max(float(both.max()), 2 * low), 41)
    for values, colour, name in ((normal, BLUE, "normal"), (odd, RED, "odd")):
        weights = np.full(len(values), 1 / max(1, len(values)))
        panel.hist(
            values.clip(low),
            bins=list(edges),
            weights=weights,
            color=colour,
            alpha=0.6,
            label=f"{name} ({len(values)})",
        )
    panel.axvline(limit, color=MUTED, linestyle="--", linewidth=1.2, label=f"threshold {number(limit)}")
    panel.set_xscale("log")
    panel.set(xlabel="reconstruction error", ylabel="share of the samples", title=text(title, 80))
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def found_by_false_alarms(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], chosen: tuple[float, float]) -> Figure:
    """Draw the share of odd samples that is found over the share of normal ones that is marked in vain.

    Args:
        curves: by the name of a method, errors (samples,) of normal and of odd samples.
        chosen: false alarms and finds at the threshold of the first method.
    """
    figure, (panel,) = panels(1, width=5.4, height=4.2)
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="guessing")
    for (name, (normal, odd)), colour in zip(curves.items(), colours(len(curves)), strict=True):
        limits = np.unique(np.concatenate([normal, odd]))[::-1]
        shares = [1 - np.searchsorted(np.sort(values), limits, side="left") / len(values) for values in (normal, odd)]
        panel.plot(*(np.concatenate([[0.0], share, [1.0]]) for share in shares), color=colour, label=name)
    panel.plot(*chosen, color=BLUE, marker="o", markersize=7, linestyle="none", label="at the threshold")
    panel.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), title="What is found, and what it costs")
    panel.set_xlabel("share of normal samples marked in vain")
    panel.set_ylabel("share of odd samples found")
    panel.grid(color=FAINT)
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def errors_by_column(normal: np.ndarray, odd: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the mean error of each column (columns,) of normal and of odd rows, those with the largest difference."""
    order = np.argsort(-(odd - normal), kind="stable")[:MOST_COLUMNS]
    figure, (panel,) = panels(1, width=6.2, height=float(1.3 + 0.36 * len(order)))
    for shift, values, colour, name in ((0.19, odd, RED, "odd"), (-0.19, normal, BLUE, "normal")):
        panel.barh(-np.arange(len(order)) + shift, values[order], height=0.34, color=colour, label=name)
    panel.set_yticks(-np.arange(len(order)), [text(names[place]) for place in order])
    panel.grid(axis="x", color=FAINT)
    panel.set_axisbelow(True)
    rest = f" ({len(order)} of {len(names)})" if len(order) < len(names) else ""
    panel.set_title(f"In which columns rows are odd{rest}")
    panel.set_xlabel("mean squared error, in variances of the column")
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def marked_series(
    values: np.ndarray,
    rebuilt: np.ndarray,
    errors: np.ndarray,
    limit: float,
    stretches: Mapping[str, Sequence[tuple[int, int]]],
    names: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """Draw a series, what is left of it, and below the error of every step with the threshold.

    Args:
        values, rebuilt: (steps, columns); of many columns the first are drawn.
        errors: (steps,).
        stretches: by what they are, first and last step of what is shaded: the marked ones, and the odd ones if known.
    """
    drawn = min(values.shape[1], MOST_LINES)
    figure, axes = panels(drawn + 1, columns=1, width=9.0, height=1.9)
    shades = dict(zip(stretches, (RED, INK), strict=False))
    for column, panel in enumerate(axes[:drawn]):
        panel.plot(values[:, column], color=BLUE, linewidth=1.0, label="series")
        panel.plot(rebuilt[:, column], color=GREY, linewidth=0.9, linestyle=(0, (3, 1.5)), label="rebuilt")
        panel.set_ylabel(text(names[column], 20) if column < len(names) else "")
    axes[-1].plot(errors.clip(1e-3 * limit), color=RED, linewidth=0.9, label="error of the step")
    axes[-1].axhline(limit, color=MUTED, linestyle="--", linewidth=1.2, label="threshold")
    axes[-1].set_yscale("log")
    axes[-1].set(xlabel="step", ylabel="error")
    for name, found in stretches.items():
        for panel in axes:
            alpha = 0.25 if name == next(iter(stretches)) else 0.9
            low, high = (0.94, 1.0) if name != next(iter(stretches)) else (0.0, 1.0)
            for place, (first, last) in enumerate(found):
                label = name if panel is axes[0] and not place else None
                panel.axvspan(first - 0.5, last + 0.5, low, high, color=shades[name], alpha=alpha, lw=0, label=label)
    for panel in axes:
        panel.margins(x=0)
    axes[0].set_title(text(title, 90))
    axes[0].legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def heat(pixels: np.ndarray, errors: np.ndarray, scale: float) -> np.ndarray:
    """Return pictures in pale grey under the colour of their errors, bytes (samples, height, width, 3).

    Args:
        pixels: (samples, height, width, 3) in [0, 1].
        errors: (samples, height, width), from 0 on.
        scale: error that has the full colour.
    """
    pale = 0.55 + 0.45 * pixels.mean(axis=-1, keepdims=True)
    weight = np.clip(errors / scale, 0, 1)[..., None]
    shown = (1 - weight) * pale + weight * signed_shades(np.full(errors.shape, -0.8))
    return np.rint(shown.clip(0, 1) * 255).astype(np.uint8)
