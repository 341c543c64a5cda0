"""Answers with classes, looked at closely: class by class, and as probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, FAINT, GREY, MUTED, ORANGE, colours, empty, panels, styled
from ganglion.figures.words import text

MOST_CLASSES = 30
"""Classes that are drawn: of more, those that are found worst."""


@styled
def by_class(matrix: np.ndarray, labels: Sequence[object] = ()) -> Figure:
    """Draw recall and precision of every class from counts `(classes, classes)`, truth by row; the worst on top.

    Recall is the share of a class that is found, precision the share of what is taken for it that is of it.
    """
    counts = np.asarray(matrix, dtype=float)
    there, taken, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    known = np.flatnonzero(there + taken)
    if not len(known):
        return empty("no classes")
    recall, precision = (right / np.maximum(total, 1) for total in (there, taken))
    order = known[np.argsort((recall + precision)[known], kind="stable")][:MOST_CLASSES]
    names = list(labels) if len(labels) else list(range(len(counts)))
    figure, (panel,) = panels(1, width=6.2, height=float(1.3 + 0.36 * len(order)))
    for shift, shares, colour, name in ((0.19, recall, BLUE, "recall"), (-0.19, precision, ORANGE, "precision")):
        panel.barh(-np.arange(len(order)) + shift, shares[order], height=0.34, color=colour, label=name)
    panel.set_yticks(-np.arange(len(order)), [f"{text(names[place])} ({there[place]:.0f})" for place in order])
    panel.set_xlim(0, 1)
    panel.grid(axis="x", color=FAINT)
    panel.set_axisbelow(True)
    left_out = f": the worst {len(order)} of {len(known)}" if len(order) < len(known) else ""
    panel.set_title(f"Class by class{left_out}")
    panel.set_xlabel("share; samples of the class in brackets")
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


@styled
def bars(values: Mapping[str, float], title: str, marked: str = "") -> Figure:
    """Draw a bar for each value, with its name and number; the one that is `marked` in another colour."""
    if not values:
        return empty("no values")
    figure, (panel,) = panels(1, width=6.2, height=float(1.0 + 0.36 * len(values)))
    places = -np.arange(len(values))
    shades = [BLUE if name == marked else GREY for name in values]
    panel.barh(places, list(values.values()), height=0.62, color=shades)
    panel.set_yticks(places, [text(name) for name in values])
    for place, value in zip(places, values.values(), strict=True):
        panel.annotate(f"{value:.4g}", (value, place), (4, 0), textcoords="offset points", va="center", size=8.5)
    panel.set_xlim(0, max(1e-9, 1.12 * max(values.values())))
    panel.grid(axis="x", color=FAINT)
    panel.set_axisbelow(True)
    panel.set_title(text(title, 80))
    return figure


@styled
def reliability(confidence: np.ndarray, accuracy: np.ndarray, count: np.ndarray, error: float) -> Figure:
    """Draw what answers hold against what they promise, by intervals of confidence, all `(intervals,)`.

    Points on the line keep their promise, those below it promise too much; a point's area is its share of all answers.
    """
    if not len(count):
        return empty("no answers")
    figure, (panel,) = panels(1, width=4.6, height=4.4)
    panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    panel.vlines(confidence, accuracy, confidence, color=GREY, linewidth=1)
    panel.scatter(
        confidence, accuracy, s=20 + 600 * count / count.sum(), color=BLUE, alpha=0.75, linewidths=0, zorder=3
    )
    panel.set_xlim(0, 1.05)
    panel.set_ylim(0, 1.05)
    panel.grid(color=FAINT)
    panel.set_axisbelow(True)
    panel.set_xlabel("probability of the answer")
    panel.set_ylabel("share of such answers that is right")
    panel.set_title(f"Promised and kept: off by {error:.1%} on average")
    return figure


@styled
def precision_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """Draw the precision of each class over its recall.

    Args:
        curves: recall and precision `(boxes,)` of each class, the surest box first.
        title: one line.
    """
    figure, (axes,) = panels(1, width=5.6, height=3.6)
    for (name, (recall, precision)), colour in zip(curves.items(), colours(len(curves)), strict=True):
        axes.step(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), label=name, color=colour)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall: share of the objects that are found", title=title)
    axes.set_ylabel("precision: share of the boxes that are right")
    axes.legend(loc="lower left")
    return figure


@styled
def free_response(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """Draw the share of the objects of each class that is found over false alarms a picture, with a line at one.

    Args:
        curves: false alarms a picture and share found `(scores,)` of each class, the surest boxes first.
        title: one line.
    """
    figure, (axes,) = panels(1, width=5.6, height=3.6)
    least = min((float(one[0][one[0] > 0].min(initial=1.0)) for one in curves.values()), default=0.1)
    most = max((float(one[0].max(initial=1.0)) for one in curves.values()), default=1.0)
    left = min(0.1, least) / 2
    axes.axvline(1.0, color=MUTED, linewidth=1, linestyle="--")
    for (name, (alarms, share)), colour in zip(curves.items(), colours(len(curves)), strict=True):
        across = np.concatenate([[left], alarms.clip(left), [2 * most]])
        axes.step(across, np.concatenate([[0.0], share, share[-1:]]), where="post", label=name, color=colour)
    axes.set_xscale("log")
    axes.set(xlim=(left, 1.6 * most), ylim=(0, 1.05), xlabel="false alarms a picture", title=title)
    axes.set_ylabel("share of the objects that are found")
    axes.legend(loc="lower right")
    return figure
