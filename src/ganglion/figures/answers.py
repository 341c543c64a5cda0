"""What a network answers, against the truth: confusion, decision regions, codes, forecasts, regression."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure

from ganglion.errors import UsageError
from ganglion.figures.images.maps import LEGEND, by_class
from ganglion.figures.style import BLUE, GREY, INK, MUTED, PAPER, RED, colours, empty, panels, styled
from ganglion.figures.training import ticks
from ganglion.figures.words import number, text


@styled
def confusion_matrix(matrix: np.ndarray, labels: Sequence[object] = ()) -> Figure:
    """Draw counts `(classes, classes)`, truth by row and answer by column.

    A shade is a share of its row: blue for right answers and, on a steeper scale, orange for wrong ones, so that
    rare mistakes stay visible beside a strong diagonal.
    """
    counts = np.asarray(matrix, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise UsageError("a confusion matrix must be square", found=str(counts.shape))
    classes = len(counts)
    names = list(labels) if len(labels) else list(range(classes))
    if len(names) != classes:
        raise UsageError("one label for each class", expected=f"{classes} labels", found=str(len(names)))
    if not classes:
        return empty("no classes")
    counts = np.nan_to_num(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(classes, dtype=bool)
    strength = np.where(right, 0.9 * shares, np.where(shares > 0, 0.12 + 0.88 * np.sqrt(shares), 0))[..., None]
    shades = 1 - strength * (1 - np.where(right[..., None], to_rgb(BLUE), to_rgb(RED)))

    size = float(np.clip(0.42 * classes, 2.6, 8.4))
    figure, (panel,) = panels(1, width=size + 1.0, height=size + 0.9)
    panel.imshow(shades, interpolation="nearest")
    if classes <= 20:
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = strength[row, column, 0] > 0.55
            colour, digits = (PAPER if dark else INK), f"{counts[row, column]:.0f}"
            panel.text(column, row, digits, ha="center", va="center", size=8 if len(digits) < 4 else 6.5, color=colour)
        panel.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        panel.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        panel.grid(which="minor", color="#eef1f4", linewidth=1)
        panel.tick_params(which="minor", length=0)
    ticks(panel, names, names)
    total = counts.sum()
    rate = f"{np.trace(counts) / total:.1%} of {total:,.0f} right" if total else "no samples"
    panel.set_title(f"Confusion: {rate}")
    panel.set_xlabel("answer")
    panel.set_ylabel("truth")
    return figure


@styled
def decision_regions(
    predict_function: Callable[[np.ndarray], np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
    names: Sequence[object] = (),
    column_names: Sequence[str] = (),
    columns: tuple[int, int] = (0, 1),
) -> Figure:
    """Draw which class a classifier answers over two `columns` of its inputs, and the samples on top.

    `predict_function` maps points `(points, columns)` to class numbers `(points,)` or to one score for each class
    `(points, classes)`. Columns that are not drawn are held at their means.
    """
    points = np.asarray(inputs, dtype=float).reshape(len(inputs), -1)
    truth = np.asarray(targets).astype(int).ravel()
    if points.shape[1] < 2:
        raise UsageError("decision regions need inputs of at least two columns", found=str(points.shape))
    across, up, regions = _regions(predict_function, points, columns)
    classes = max(int(truth.max(initial=0)), int(regions.max()), len(names) - 1, 1) + 1
    shades = colours(classes)
    figure, (panel,) = panels(1, width=5.8, height=4.3)
    panel.imshow(
        regions,
        origin="lower",
        extent=(across.min(), across.max(), up.min(), up.max()),
        aspect="auto",
        cmap=ListedColormap(shades),
        vmin=-0.5,
        vmax=classes - 0.5,
        alpha=0.22,
        interpolation="nearest",
    )
    for border in range(classes - 1):
        panel.contour(across, up, regions > border, levels=[0.5], colors=INK, linewidths=0.7, alpha=0.6)
    by_class(panel, points[:, list(columns)], truth, names, shades, size=26)
    held = points.shape[1] - 2
    panel.set_title("Decision regions" + (f"  ({held} more column{'s' * (held > 1)} held at the mean)" if held else ""))
    axis_names = [column_names[i] if i < len(column_names) else f"input {i + 1}" for i in columns]
    panel.set(xlabel=text(axis_names[0], 40), ylabel=text(axis_names[1], 40))
    return figure


def _regions(
    predict_function: Callable[[np.ndarray], np.ndarray], points: np.ndarray, columns: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a grid over two columns of the points, as coordinates across and up, and the class answered at each."""
    pair = points[:, list(columns)]
    low, high = pair.min(axis=0), pair.max(axis=0)
    margin = 0.12 * np.where(high > low, high - low, 1.0)
    resolution = 240
    across, up = np.meshgrid(*(np.linspace(low[i] - margin[i], high[i] + margin[i], resolution) for i in (0, 1)))
    grid = np.tile(points.mean(axis=0), (resolution**2, 1))
    grid[:, columns[0]], grid[:, columns[1]] = across.ravel(), up.ravel()
    answers = np.asarray(predict_function(grid.astype(np.float32)))
    answers = answers.argmax(axis=1) if answers.ndim == 2 and answers.shape[1] > 1 else answers.ravel().round()
    return across, up, answers.reshape(across.shape).astype(int)


@styled
def forecast(
    history: np.ndarray, truth: np.ndarray | None, predictions: Mapping[str, np.ndarray], title: str = "Forecast"
) -> Figure:
    """Draw the end of a series, what came after it, and what each method predicted for it.

    All are `(time,)` or `(time, columns)`; `truth` is None when the future is not known yet. The first prediction is
    the network's, the others are baselines and drawn dashed. The legend gives mean absolute errors.
    """
    past = _columns(history)
    future = None if truth is None else _columns(truth)
    answers = {name: _columns(values) for name, values in predictions.items()}
    horizon = max([len(values) for values in answers.values()] + ([] if future is None else [len(future)]), default=0)
    past = past[-max(40, min(2 * horizon, 400)) :]
    count = min(max(past.shape[1], 1), 6)
    figure, axes = panels(count, columns=1, width=9, height=3.2 if count == 1 else 2.2)
    for column, panel in enumerate(axes):
        panel.plot(np.arange(-len(past), 0), past[:, column], color=GREY, linewidth=1.3, label="history")
        if future is not None:
            joined = np.concatenate([past[-1:, column], future[:, column]])
            places = np.arange(len(joined)) - len(past[-1:])
            panel.plot(places, joined, color=INK, linewidth=3.2, alpha=0.4, label="truth")
        for (name, values), colour in zip(answers.items(), colours(max(len(answers), 1)), strict=False):
            if column >= values.shape[1]:
                continue
            first = name == next(iter(answers))
            error = _mean_error(values[:, column], None if future is None else future[:, column])
            panel.plot(
                np.arange(len(values)),
                values[:, column],
                color=colour,
                linewidth=1.5 if first else 1.2,
                linestyle="-" if first else (0, (4, 2)),
                label=text(name, 28) + error,
                zorder=3 if first else 2,
            )
        panel.axvline(-0.5, color=MUTED, linewidth=0.8, linestyle=":")
        panel.grid(axis="y")
        panel.margins(x=0.01)
        panel.legend(**LEGEND)
    axes[0].set_title(text(title, 70) + ("" if future is None else "  (mean absolute error)"))
    axes[-1].set_xlabel("steps from the forecast's start")
    return figure


def _columns(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array.reshape(len(array), -1) if array.size else array.reshape(0, 1)


def _mean_error(predicted: np.ndarray, truth: np.ndarray | None) -> str:
    if truth is None or not len(truth) or not len(predicted):
        return ""
    count = min(len(truth), len(predicted))
    return f"  ({number(float(np.mean(np.abs(predicted[:count] - truth[:count]))))})"


@styled
def scatter(truth: np.ndarray, predicted: np.ndarray, names: Sequence[str] = ()) -> Figure:
    """Draw predicted against true values, (samples,) or (samples, outputs), one panel for each output.

    Points on the line are exact.
    """
    true, answers = _columns(truth), _columns(predicted)
    if true.shape != answers.shape:
        raise UsageError("truth and prediction differ in shape", expected=str(true.shape), found=str(answers.shape))
    if not len(true):
        return empty("no samples")
    count = min(true.shape[1], 6)
    figure, axes = panels(count, width=4.4, height=4.0)
    for column, panel in enumerate(axes):
        x, y = true[:, column], answers[:, column]
        keep = np.isfinite(x) & np.isfinite(y)
        x, y = x[keep], y[keep]
        panel.scatter(x, y, s=14, color=BLUE, alpha=0.55, linewidth=0)
        panel.axline((0, 0), slope=1, color=RED, linewidth=1.2, linestyle=(0, (5, 3)))
        spread = ((x - x.mean()) ** 2).sum() if x.size else 0.0
        fit = f"R² {1 - ((x - y) ** 2).sum() / spread:.3f}, " if spread else ""
        error = number(float(np.abs(x - y).mean())) if x.size else "unknown"
        name = f"{text(names[column], 40)}\n" if column < len(names) else ""
        panel.set_title(f"{name}{fit}mean absolute error {error}")
        if x.size:
            low, high = min(x.min(), y.min()), max(x.max(), y.max())
            margin = 0.05 * ((high - low) or 1.0)
            panel.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
        panel.set(xlabel="truth", ylabel="predicted", aspect="equal")
        panel.grid()
    return figure
