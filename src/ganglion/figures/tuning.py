"""What came of looking for good settings: the course of the search, what mattered, and where the good values lie."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ganglion.figures.style import BLUE, GREY, MUTED, ORANGE, RED, empty, panels, styled
from ganglion.figures.training import whole_numbers
from ganglion.figures.words import number, text

WORST_SHOWN = 10
"""Times the distance from the best to the middle that is shown; what is further off lies at the edge."""


@styled
def search_course(
    finished: Mapping[int, float], pruned: Mapping[int, float], measure: str, higher_is_better: bool
) -> Figure:
    """Draw the value of each trial by its number, and the best until then.

    Args:
        finished: values of trials that were trained to their ends, by their numbers.
        pruned: best values of those that were given up.
        measure: its name.
        higher_is_better: which way is better.
    """
    if not finished:
        return empty("no trial was trained to its end")
    figure, (panel,) = panels(1, width=7.2, height=3.4)
    numbers = sorted(finished)
    values = np.array([finished[one] for one in numbers])
    best = np.maximum.accumulate(values) if higher_is_better else np.minimum.accumulate(values)
    if pruned:
        panel.plot(list(pruned), list(pruned.values()), "x", color=GREY, markersize=5, label="given up")
    panel.plot(numbers, values, "o", color=BLUE, markersize=4.5, label="trained to the end")
    last = max([*numbers, *pruned])
    panel.step(
        [*numbers, last], [*best, best[-1]], where="post", color=ORANGE, label=f"best so far  {number(best[-1])}"
    )
    panel.set_xlabel("trial")
    panel.set_title(text(measure.replace("_", " "), 40))
    panel.grid(axis="y")
    _limit(panel, np.array([*values, *pruned.values()]), values, higher_is_better)
    whole_numbers(panel)
    panel.legend(loc="best")
    return figure


@styled
def importances(shares: Mapping[str, float]) -> Figure:
    """Draw how much of the order of the trials each field decides, in shares that add up to one."""
    if not shares:
        return empty("too few trials to tell what mattered")
    names = list(shares)[::-1]
    figure, (panel,) = panels(1, width=6.4, height=0.6 + 0.34 * len(names))
    bars = panel.barh([_name(name) for name in names], [shares[name] for name in names], color=BLUE, height=0.62)
    panel.bar_label(bars, [f"{shares[name]:.0%}" for name in names], padding=4, color=MUTED, fontsize=8.5)
    panel.set_xlim(0, 1.12 * max(shares.values()))
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(axis="y", length=0)
    panel.set_title("Share of the order of the trials")
    return figure


@styled
def slices(
    points: Sequence[tuple[Mapping[str, object], float, bool]],
    logarithmic: Sequence[str],
    choices: Mapping[str, Sequence[str]],
    measure: str,
    higher_is_better: bool,
) -> Figure:
    """Draw the value of trials by the value of each field, a panel each.

    Args:
        points: of each trial the drawn values by name, what was measured, and whether it was trained to its end.
        logarithmic: names that are drawn by factors.
        choices: of names that have choices, these in their order.
        measure: name of what was measured.
        higher_is_better: which way is better.
    """
    if not points:
        return empty("no trial was measured")
    names = list(points[0][0])
    figure, axes = panels(len(names), columns=3, width=3.5, height=2.5)
    values = np.array([value for _, value, _ in points])
    done = np.array([finished for *_, finished in points])
    best = (np.argmax if higher_is_better else np.argmin)(
        np.where(done, values, -math.inf if higher_is_better else math.inf)
    )
    for panel, name in zip(axes, names, strict=True):
        at = [_place(name, drawn[name], choices) for drawn, *_ in points]
        places = np.array(at, dtype=float)
        panel.plot(places[~done], values[~done], "x", color=GREY, markersize=4.5)
        panel.scatter(places[done], values[done], c=np.flatnonzero(done), cmap="Blues", vmin=-len(points) / 2, s=20)
        panel.plot(places[best], values[best], "o", color=RED, markersize=7, fillstyle="none", markeredgewidth=1.6)
        if name in choices:
            _tick(panel, choices[name])
        else:
            _scale(panel, places, name in logarithmic)
        panel.set_title(_name(name))
        panel.grid(axis="y")
        _limit(panel, values, values[done], higher_is_better)
    for panel in axes[::3]:
        panel.set_ylabel(text(measure.replace("_", " "), 30))
    return figure


def _scale(panel: Axes, places: np.ndarray, by_factors: bool) -> None:
    """Let an axis of numbers have few, plain marks."""
    whole = bool((places == places.round()).all())
    if by_factors:
        panel.set_xscale("log")
    if by_factors and (whole or places.max() < 100 * places.min()):
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    elif whole and not by_factors:
        whole_numbers(panel)


def _tick(panel: Axes, names: Sequence[str]) -> None:
    turned = sum(map(len, names)) > 28
    panel.set_xticks(
        range(len(names)),
        [text(name, 14) for name in names],
        rotation=35 if turned else 0,
        ha="right" if turned else "center",
    )
    panel.set_xlim(-0.5, len(names) - 0.5)


def _place(name: str, value: object, choices: Mapping[str, Sequence[str]]) -> float:
    """Return where a value lies on the axis of its panel."""
    if name in choices:
        return float(choices[name].index(str(value)))
    assert isinstance(value, int | float)
    return float(value)


def _limit(panel: Axes, values: np.ndarray, finished: np.ndarray, higher_is_better: bool) -> None:
    """Let what is hopeless not press all else into a line: it is drawn at the edge.

    A measure that stays positive over more than two decades gets a logarithmic axis.
    """
    if not finished.size:
        return
    if values.min() > 0 and values.max() > 100 * values.min():
        panel.set_yscale("log")
        return
    best = finished.max() if higher_is_better else finished.min()
    reach = WORST_SHOWN * abs(np.median(values) - best)
    if reach and np.abs(values - best).max() > reach:
        edge = best - reach if higher_is_better else best + reach
        margin = 0.06 * reach
        panel.set_ylim((edge, best + margin) if higher_is_better else (best - margin, edge))


def _name(name: str) -> str:
    return text(name.replace("_", " ").replace(".", ", "), 34)
