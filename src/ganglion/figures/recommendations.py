"""Recommendations: what was foretold beside what was given, what lists find, and the lists of a few people."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, FAINT, GREY, INK, MUTED, ORANGE, RED, colours, empty, panels, styled
from ganglion.figures.words import number, text

MOST_LEVELS = 11
"""Ratings that have a box of their own; more are put together."""
LINE = 0.27
"""Height of a line of a list, in inches."""


@styled
def foretold(ratings: np.ndarray, predicted: np.ndarray, error: float) -> Figure:
    """Draw what was foretold, (samples,), for each rating that was given, (samples,): the middle half and 80 %."""
    levels = np.unique(ratings)
    if not len(levels):
        return empty("no ratings")
    if len(levels) > MOST_LEVELS:
        edges = np.linspace(levels[0], levels[-1], MOST_LEVELS + 1)
        levels = (edges[1:] + edges[:-1]) / 2
        ratings = levels[np.clip(np.searchsorted(edges, ratings, "right") - 1, 0, MOST_LEVELS - 1)]
    groups = [(level, predicted[ratings == level]) for level in levels if (ratings == level).any()]
    figure, (panel,) = panels(1, width=6.4, height=4.0)
    width = 0.6 * float(np.min(np.diff(levels), initial=1.0))
    boxes = panel.boxplot(
        [group for _, group in groups],
        positions=[level for level, _ in groups],
        widths=width,
        whis=(10, 90),
        showfliers=False,
        patch_artist=True,
        manage_ticks=False,
    )
    for box in boxes["boxes"]:
        box.set(facecolor=BLUE, alpha=0.45, edgecolor=BLUE)
    for line in boxes["medians"]:
        line.set(color=INK, linewidth=1.6)
    panel.axline((float(levels[0]), float(levels[0])), slope=1, color=RED, linewidth=1.2, linestyle=(0, (5, 3)))
    panel.set_xticks([level for level, _ in groups], [f"{level:g}\n{len(group):,}" for level, group in groups])
    panel.set(xlabel="rating that was given, and how many", ylabel="rating that was foretold")
    panel.set_title(f"Foretold and given: off by {number(error)} points (root mean square)")
    panel.grid(axis="y")
    return figure


@styled
def found_by_length(curves: Mapping[str, np.ndarray]) -> Figure:
    """Draw the share of held-out items that lists of 1, 2, ... items find, (lengths,), for each way to make them."""
    figure, (panel,) = panels(1, width=6.2, height=3.6)
    for (name, shares), colour in zip(curves.items(), (BLUE, GREY, ORANGE), strict=False):
        panel.plot(np.arange(1, len(shares) + 1), shares, color=colour, label=text(name))
    panel.set(xlabel="items named", ylabel="share of the held-out items", ylim=(0, None))
    panel.set_title("What lists find")
    panel.grid(axis="y")
    panel.legend(loc="upper left")
    return figure


@styled
def lists(people: Sequence[tuple[str, Sequence[str], Sequence[tuple[str, float]]]], of_ratings: bool) -> Figure:
    """Draw for a few people what they liked best and what is recommended to them.

    Args:
        people: a name, items, and items with the value that orders them, for each.
        of_ratings: whether these values are ratings.
    """
    if not people:
        return empty("nobody")
    longest = max(len(items) for _, *both in people for items in both)
    figure = Figure(figsize=(9.6, (LINE * longest + 0.75) * len(people)), layout="constrained")
    for place, ((name, liked, named), shade) in enumerate(zip(people, colours(len(people)), strict=True)):
        left, right = (figure.add_subplot(len(people), 2, 2 * place + side) for side in (1, 2))
        for panel, title in ((left, f"{text(name)} liked"), (right, "recommended")):
            panel.set(xlim=(0, 1), ylim=(longest - 0.5, -0.5))
            panel.set_axis_off()
            panel.set_title(title)
        for line, item in enumerate(liked):
            left.text(0, line, text(item, 52), va="center", color=MUTED)
        values = np.array([value for _, value in named], dtype=float)
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        for line, (item, value) in enumerate(named):
            share = 0.25 + 0.75 * (value - low) / (high - low) if high > low else 1.0
            right.barh(line, 0.16 * share, height=0.62, color=shade, alpha=0.8)
            right.barh(line, 0.16, height=0.62, color=FAINT, zorder=0)
            said = f"{value:.1f}  " if of_ratings else ""
            right.text(0.18, line, f"{said}{text(item, 46)}", va="center")
    return figure
