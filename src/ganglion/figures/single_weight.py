"""Gradient descent of one weight, as a picture and as the frames of a film."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ganglion.figures.style import BLUE, GREY, INK, MUTED, RED, styled

ONE_WEIGHT_FRAMES_PER_SECOND = 0.5
"""So slow that each can be read."""


class Pairs(NamedTuple):
    """What goes into a network of one weight, and what should come out, (samples,) each."""

    inputs: Sequence[float]
    wanted: Sequence[float]


@styled
def one_weight(
    curve: tuple[np.ndarray, np.ndarray],
    updates: tuple[Sequence[float], Sequence[float]],
    tried: tuple[Sequence[float], Sequence[float]],
    rate: float,
) -> Figure:
    """Draw the error of a network of one weight, the weights that were tried, and the way of the updates.

    Args:
        curve: weights and their errors (places,) each.
        updates: weights after each update, the start first, and their errors.
        tried: weights and errors.
        rate: of the updates.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    panel = figure.subplots()
    panel.plot(*curve, color=GREY, linewidth=1.4, label="E(W)")
    panel.plot(*updates, color=BLUE, marker="o", markersize=5, linewidth=1, label=f"updates, rate {rate:g}")
    panel.plot(*tried, "s", color=RED, markersize=7, label="tried")
    for weight, error in zip(*tried, strict=True):
        said = f"W = {weight:g}: E = {error:g}"
        panel.annotate(said, (weight, error), (-8, 12), textcoords="offset points", color=RED, ha="right")
    panel.set(xlabel="W", ylabel="E", title="One weight: W becomes W - rate dE/dW")
    panel.margins(x=0.12)
    panel.legend(loc="upper left")
    return figure


@styled
def one_weight_frames(
    samples: Pairs,
    curve: tuple[np.ndarray, np.ndarray],
    updates: tuple[Sequence[float], Sequence[float]],
    tried: tuple[Sequence[float], Sequence[float]],
    rate: float,
) -> np.ndarray:
    """Return a film, bytes (frames, height, width, 3): each weight that is tried with its table, then update by update.

    On the left are the outputs W x of a weight, what they should be, and the table of their errors; on the right the
    error of each weight so far. Arguments are those of `one_weight`.
    """
    figure = Figure(figsize=(9.2, 5.2), layout="constrained")
    canvas, frames = FigureCanvasAgg(figure), []
    moments = [(weight, error, "") for weight, error in zip(*tried, strict=True)]
    moments += [
        (weight, error, f"update {number}") for number, (weight, error) in enumerate(zip(*updates, strict=True))
    ]
    for number, (weight, error, said) in enumerate(moments):
        figure.clear()
        parts = figure.subplot_mosaic([["left", "right"], ["below", "right"]], height_ratios=(2.4, 1))
        left, right = parts["left"], parts["right"]
        _outputs(left, parts["below"], samples, weight)
        left.set_title(f"{said or 'tried'}: W = {weight:.4g}, E = {error:.4g}")
        _errors_so_far(right, curve, moments[: number + 1], len(tried[0]), rate)
        canvas.draw()
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return np.stack(frames)


def _outputs(panel: Axes, below: Axes, samples: Pairs, weight: float) -> None:
    """Draw outputs beside what is wanted, and below them the lecture's table."""
    inputs, wanted = np.asarray(samples.inputs), np.asarray(samples.wanted)
    outputs = weight * inputs
    highest = 2.2 * float(wanted.max())
    panel.plot(inputs[[0, -1]], outputs[[0, -1]], color=BLUE, label="output W x")
    panel.vlines(inputs, outputs, wanted, color=RED, linewidth=2, label="error")
    panel.plot(inputs, outputs, "o", color=BLUE)
    panel.plot(inputs, wanted, "s", color=INK, markersize=6, label="wanted")
    panel.set(xlabel="input", xlim=(inputs.min() - 0.2, inputs.max() + 0.2), ylim=(-0.15 * highest, highest))
    panel.set_xticks(inputs)
    panel.legend(loc="upper left")
    cells = [
        [f"{x:g}", f"{t:g}", f"{y:.3g}", f"{abs(y - t):.3g}", f"{(y - t) ** 2:.3g}"]
        for x, t, y in zip(inputs, wanted, outputs, strict=True)
    ]
    below.set_axis_off()
    heads = ("input", "wanted", "output", "error", "squared")
    table = below.table(cells, colLabels=heads, cellLoc="center", bbox=Bbox.unit(), edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(9)


def _errors_so_far(
    panel: Axes,
    curve: tuple[np.ndarray, np.ndarray],
    moments: Sequence[tuple[float, float, str]],
    tried: int,
    rate: float,
) -> None:
    """Draw the errors of the weights so far; the curve they lie on once the tries are over."""
    going = moments[tried:]
    panel.plot(*curve, color=GREY, linewidth=1.4 if going else 0)
    panel.plot(*zip(*[(w, e) for w, e, _ in moments[:tried]], strict=True), "s", color=RED, markersize=7, label="tried")
    if going:
        ways = [(w, e) for w, e, _ in going]
        panel.plot(*zip(*ways, strict=True), color=BLUE, marker="o", markersize=5, linewidth=1, label="updates")
    now = moments[-1]
    panel.plot(now[0], now[1], "o", markersize=12, markerfacecolor="none", markeredgecolor=INK)
    panel.set(xlabel="W", ylabel="E")
    panel.margins(x=0.08, y=0.08)
    panel.set_title(f"W becomes W - {rate:g} dE/dW" if going else "Error of each weight", color=INK if going else MUTED)
    panel.legend(loc="upper left")
