"""Forecasts of a series against what came: residuals, errors by step, bands of quantiles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREY, RED, colours, panels, styled
from ganglion.figures.words import number, text

MOST_SERIES = 30
"""Series of which errors are drawn; of more the best and the worst."""


@styled
def residuals(predicted: np.ndarray, truth: np.ndarray, unit: str) -> Figure:
    """Draw what forecasts, (moments,), left of the truth: over time, how often, and whether each follows the last."""
    rest = truth - predicted
    figure, (course, frequency, memory) = panels(3, width=3.9, height=2.9)
    course.axhline(0, color=GREY, linewidth=0.8)
    course.plot(rest, color=BLUE, linewidth=0.9)
    course.set(title="Residuals", xlabel="step of the test part", ylabel=f"truth - forecast, {unit}")
    frequency.hist(rest, bins=min(40, max(5, len(rest) // 8)), color=BLUE)
    frequency.axvline(rest.mean(), color=RED, linewidth=1.2)
    frequency.set(title=f"Mean {number(rest.mean())}, deviation {number(rest.std())}", xlabel=f"residual, {unit}")
    lags = np.arange(1, min(30, len(rest) - 1) + 1)
    centred = rest - rest.mean()
    power = max(float((centred**2).sum()), 1e-300)
    memory.bar(lags, [float((centred[lag:] * centred[:-lag]).sum()) / power for lag in lags], color=BLUE)
    chance = 1.96 / np.sqrt(len(rest))  # 95 of 100 bars of pure noise stay within
    memory.axhspan(-chance, chance, color=GREY, alpha=0.2, linewidth=0)
    memory.set(title="Autocorrelation; shaded: chance", xlabel="lag", ylim=(-1, 1))
    return figure


@styled
def errors_by_step(by_method: Mapping[str, np.ndarray]) -> Figure:
    """Draw for each method its scaled error at each step of the horizon `(horizon,)`; the first is the network's."""
    figure, (panel,) = panels(1, width=7, height=3)
    for (name, values), colour in zip(by_method.items(), colours(len(by_method)), strict=True):
        first = name == next(iter(by_method))
        style = "-" if first else (0, (4, 2))
        panel.plot(np.arange(1, len(values) + 1), values, color=colour, linestyle=style, marker="o", ms=3, label=name)
    panel.set(title="Error by step ahead", xlabel="steps ahead", ylabel="mean absolute scaled error")
    panel.set_ylim(bottom=0)
    panel.grid(axis="y")
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def add_band(figure: Figure, low: np.ndarray, high: np.ndarray, quantiles: Sequence[float]) -> None:
    """Shade what lies between the outer quantiles, (moments,) each, on a figure of a forecast."""
    panel = figure.axes[0]
    label = f"{quantiles[0]:g} to {quantiles[-1]:g}"
    panel.fill_between(np.arange(len(low)), low, high, color=BLUE, alpha=0.18, linewidth=0, label=label)
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))


@styled
def series_by_class(groups: Mapping[str, np.ndarray], mistaken: Mapping[str, Sequence[str]]) -> Figure:
    """Draw some series of each class, (series, steps), one above the other.

    Args:
        groups: series by the name of their class.
        mistaken: what each of them was taken for, likewise; empty where that was right.
    """
    figure, axes = panels(len(groups), columns=2, width=4.4, height=2.4)
    for panel, (name, several) in zip(axes, groups.items(), strict=True):
        apart = 1.15 * max(float(np.nanmax(several) - np.nanmin(several)), 1e-9)
        for place, (values, other) in enumerate(zip(several, mistaken[name], strict=True)):
            level = -place * apart
            panel.plot(values + level, color=RED if other else BLUE, linewidth=1.1)
            if other:
                style: dict[str, Any] = {"ha": "left", "va": "center", "color": RED, "fontsize": "small"}
                level += float(np.nanmean(values))
                panel.text(1.02, level, f"taken for\n{text(other)}", transform=panel.get_yaxis_transform(), **style)
        panel.set(title=text(name), yticks=[])
        panel.margins(x=0.01)
    for panel in axes[-2:]:
        panel.set_xlabel("step")
    return figure


@styled
def series_rebuilt(values: np.ndarray, rebuilt: np.ndarray, titles: Sequence[str] = ()) -> Figure:
    """Draw series (series, steps, channels) and what is left of each; of several channels the first."""
    figure, axes = panels(len(values), columns=2, width=4.2, height=1.5)
    for place, panel in enumerate(axes):
        panel.plot(values[place, :, 0], color=GREY, linewidth=0.9, label="series")
        panel.plot(rebuilt[place, :, 0], color=BLUE, linewidth=1.5, label="rebuilt")
        panel.margins(x=0)
        panel.set_title(text(titles[place]) if place < len(titles) else "")
    axes[min(1, len(axes) - 1)].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def series_pictures(series: Mapping[str, np.ndarray], pictures: Mapping[str, np.ndarray]) -> Figure:
    """Draw a series of each class, (steps,), and beside it the pictures that were made of it.

    Args:
        series: one by the name of its class.
        pictures: by their names, numbers from -1 to 1 for each series, (series, height, width).
    """
    columns = 1 + len(pictures)
    figure, axes = panels(columns * len(series), columns=columns, width=2.6, height=2.4)
    shown = None
    for row, (name, values) in enumerate(series.items()):
        line, *fields = axes[columns * row : columns * (row + 1)]
        line.plot(values, color=BLUE, linewidth=1.1)
        line.margins(x=0.01)
        line.set(title=text(name), yticks=[], box_aspect=1)
        for panel, (title, several) in zip(fields, pictures.items(), strict=True):
            shown = panel.imshow(several[row], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            panel.set(xticks=[], yticks=[], title=text(title) if row == 0 else "")
    if shown is not None:
        figure.colorbar(shown, ax=axes, shrink=0.6, aspect=30, ticks=[-1, 0, 1])
    return figure


@styled
def errors_by_series(errors: Mapping[str, tuple[float, float]], other: str) -> Figure:
    """Draw the error of a network and of another method for each series, the worst on top; of many the ends.

    Args:
        errors: of the network and of the other method, by the name of the series.
        other: what the other method is called.
    """
    ranked = sorted(errors, key=lambda name: errors[name][0])
    if len(ranked) > MOST_SERIES:
        ranked = [*ranked[: MOST_SERIES // 2], *ranked[-MOST_SERIES // 2 :]]
    figure, (panel,) = panels(1, width=7, height=1 + 0.24 * len(ranked))
    rows = np.arange(len(ranked))
    panel.barh(rows, [errors[name][0] for name in ranked], color=BLUE, height=0.7, label="network")
    panel.plot([errors[name][1] for name in ranked], rows, "|", color=RED, ms=9, mew=1.6, label=text(other))
    panel.set(yticks=rows, xlabel="mean absolute scaled error", title="Error by series")
    panel.set_yticklabels([text(name) for name in ranked])
    panel.margins(y=0.01)
    panel.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def several_forecasts(series: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw for each of several series, by its title, what was and what was forecast, (time,) both, NaN for nothing."""
    figure, axes = panels(len(series), columns=2, width=4.8, height=2.2)
    for panel, (title, (values, forecast)) in zip(axes, series.items(), strict=True):
        panel.plot(values, color=GREY, linewidth=1.4, label="truth")
        panel.plot(forecast, color=BLUE, linewidth=1.2, label="forecast")
        panel.set_title(text(title))
        panel.margins(x=0.01)
    axes[min(1, len(axes) - 1)].legend(loc="upper left", bbox_to_anchor=(1, 1))
    for panel in axes[-2:]:
        panel.set_xlabel("step")
    return figure


@styled
def entitle(figure: Figure, title: str) -> None:
    """Give the first panel of a figure another title."""
    figure.axes[0].set_title(title)
