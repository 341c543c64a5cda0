"""How a training went: curves of the metric log, returns of an agent, gradients of the layers."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganglion.figures.style import (
    BLUE,
    GREEN,
    GREY,
    MUTED,
    RED,
    SKY,
    colours,
    empty,
    panels,
    styled,
)
from ganglion.figures.words import number, text

_NOT_METRICS = {"step", "epoch", "seconds", "samples_per_second", "iteration", "time"}
_PART = re.compile(r"^(train|training|validation|test)[_./ ](?=.)")
_COLOURS = {"train": BLUE, "validation": RED, "test": GREEN}


@styled
def curves(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a metric log: one panel per metric, its training and validation curves in one panel.

    `rows` are the objects of a metric log. A name such as `validation_loss` or `validation.loss` belongs to the panel
    of `loss`; a name without a part is the training one. Gaps and values that are not finite leave the curve broken.
    A metric that stays positive over more than two decades gets a logarithmic axis.
    """
    metrics = _by_metric(rows)
    if not metrics:
        return empty("nothing was measured")
    axis, positions = _positions(rows)
    figure, axes = panels(len(metrics))
    for panel, (name, parts) in zip(axes, metrics.items(), strict=True):
        for part, values in parts.items():
            known = ~np.isnan(values)
            few = known.sum() <= 25
            panel.plot(
                positions[known],
                np.where(np.isinf(values), np.nan, values)[known],
                color=_COLOURS[part],
                marker="o" if few else None,
                markersize=3.2,
                label=f"{part}  {number(values[known][-1])}",
                alpha=0.95,
            )
        _finish(panel, name, axis, np.concatenate(list(parts.values())))
    return figure


def _finish(panel: Axes, name: str, axis: str, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > 100 * finite.min():
        panel.set_yscale("log")
    panel.set_title(text(name.replace("_", " "), 36))
    panel.set_xlabel(axis)
    panel.grid(axis="y")
    panel.margins(x=0.03, y=0.08)
    whole_numbers(panel)
    panel.legend(loc="best")


def whole_numbers(panel: Axes) -> None:
    """Count along the horizontal axis in whole numbers, also where there is only one."""
    low, high = panel.get_xlim()
    if high - low < 1:
        panel.set_xlim((low + high) / 2 - 1, (low + high) / 2 + 1)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _by_metric(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """Return metric -> part -> one value a row, NaN where a row does not have it."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in _NOT_METRICS]
    metrics: dict[str, dict[str, np.ndarray]] = {}
    for name in names:
        values = np.array([_value(row.get(name)) for row in rows])
        if np.isnan(values).all():
            continue
        match = _PART.match(name)
        part = match.group(1) if match else "train"
        metric = name[match.end() :] if match else name
        if metric == "learning_rate" and np.unique(values[~np.isnan(values)]).size == 1:
            continue
        metrics.setdefault(metric, {})["train" if part == "training" else part] = values
    return metrics


def _value(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _positions(rows: Sequence[Mapping[str, Any]]) -> tuple[str, np.ndarray]:
    """Return what to draw along, epochs where each row has its own, and the place of each row.

    Where there are no epochs, a metric log counts steps in their place: those are called steps.
    """
    counted = any(row.get("epoch") != row.get("step") for row in rows)
    for axis in ("epoch", "step") if counted else ("step",):
        places = np.array([_value(row.get(axis)) for row in rows])
        if not np.isnan(places).any() and (np.diff(places) > 0).all():
            return axis, places
    places = np.array([_value(row.get("step")) for row in rows])
    return ("step", places) if not np.isnan(places).any() else ("report", np.arange(len(rows), dtype=float))


@styled
def returns(returns: Sequence[float], threshold: float | None = None) -> Figure:
    """Draw the return of each episode, their running mean, and the return at which the task counts as solved."""
    values = np.asarray(returns, dtype=float)
    if not values.size:
        return empty("no episode was finished")
    figure, (panel,) = panels(1, width=8, height=3.2)
    episodes = np.arange(1, values.size + 1)
    window = int(np.clip(values.size // 10, 1, 100))
    panel.plot(episodes, values, ".", color=SKY, markersize=4 if values.size < 400 else 2.5, label="episode")
    if window > 1:
        mean = np.convolve(np.nan_to_num(values), np.full(window, 1 / window), mode="valid")
        panel.plot(episodes[window - 1 :], mean, color=BLUE, label=f"mean of {window} episodes")
    if threshold is not None:
        panel.axhline(threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.3, label=f"solved at {threshold:g}")
    panel.set_title(f"Returns: {number(np.nanmean(values[-window:]))} at the end, best {number(np.nanmax(values))}")
    panel.set_xlabel("episode")
    panel.set_ylabel("return")
    whole_numbers(panel)
    panel.grid(axis="y")
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def heat_map(
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[object],
    *,
    title: str = "",
    label: str = "",
    axis: str = "",
    logarithmic: bool = False,
) -> Figure:
    """Draw a matrix `(rows, columns)` in shades: gradient norms of layers over steps, weights, similarities.

    `label` says what the shades are, `axis` what the columns are. With `logarithmic` the shades are powers of ten;
    zeros and values that are not finite stay grey.
    """
    values = np.atleast_2d(np.asarray(matrix, dtype=float)).copy()
    if not values.size:
        return empty("no values")
    values[~np.isfinite(values) | (logarithmic & (values <= 0))] = np.nan
    if logarithmic:
        values = np.log10(values)
    height = float(np.clip(0.26 * len(rows) + 1.0, 2.4, 14))
    figure, (panel,) = panels(1, width=float(np.clip(0.3 * values.shape[1] + 3, 5.2, 10)), height=height)
    panel.set_facecolor("#c9ced4")
    image = panel.imshow(values, cmap="cividis", aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=panel, pad=0.02, shrink=0.95, aspect=30)
    bar.outline.set_visible(False)
    bar.set_label(f"{label} (power of ten)" if logarithmic else label)
    panel.set_title(text(title, 70))
    panel.set_xlabel(axis)
    ticks(panel, rows, columns)
    return figure


def ticks(panel: Axes, rows: Sequence[object], columns: Sequence[object]) -> None:
    """Name the rows and columns of a matrix, every few where there are too many to read."""
    for axis, names, most in ((panel.yaxis, rows, 40), (panel.xaxis, columns, 25)):
        every = max(1, math.ceil(len(names) / most))
        labels = [text(name) for name in names[::every]]
        wide = axis is panel.xaxis and max(map(len, labels), default=0) * len(labels) > 60
        axis.set_ticks(range(0, len(names), every), labels, rotation=90 if wide else 0)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


@styled
def gradient_flow(
    layers: Sequence[str], gradients: Sequence[float], activations: Sequence[float], dead: Sequence[float]
) -> Figure:
    """Draw per layer, from input to output: size of the gradient, size of the activation, share of dead units.

    Zero and unknown sizes have no bar on the logarithmic axes; unknown shares (NaN) have none either.
    """
    if not layers:
        return empty("no layer has parameters")
    figure, axes = panels(3, height=float(np.clip(0.24 * len(layers) + 1.1, 2.2, 14)), width=3.4)
    places = np.arange(len(layers))
    drawn = (("gradient, root mean square", gradients), ("activation, root mean square", activations))
    for panel, (title, sizes), colour in zip(axes, drawn, colours(2), strict=False):
        values = np.asarray(sizes, dtype=float)
        usable = np.isfinite(values) & (values > 0)
        if usable.any():
            panel.set_xscale("log")
            panel.plot(values[usable], places[usable], "o-", color=colour, markersize=5, linewidth=1.2)
            # A narrow range would make rounding look like a trend.
            low, high = values[usable].min(), values[usable].max()
            panel.set_xlim(low / 3, max(high * 3, low * 30))
        panel.set_title(title)
    axes[2].barh(places, np.nan_to_num(np.asarray(dead, dtype=float)), color=GREY, height=0.6)
    axes[2].set_xlim(0, 1)
    axes[2].set_title("share of dead units")
    for number_, panel in enumerate(axes):
        panel.set_ylim(len(layers) - 0.5, -0.5)
        panel.set_yticks(places, [text(name, 28) for name in layers] if number_ == 0 else [""] * len(layers))
        panel.grid(axis="x")
        panel.tick_params(axis="y", length=0, labelcolor=MUTED)
    return figure
