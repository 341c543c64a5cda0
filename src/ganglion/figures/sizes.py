"""Networks of many sizes beside each other: what they make of a function, and how far off they are."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, GREY, ORANGE, RED, colours, panels, styled
from ganglion.figures.words import text

Size = tuple[int, int]
"""Hidden layers, and the units of each."""


@styled
def errors_by_size(errors: Mapping[Size, float], steps: Mapping[int, float], baseline: float, label: str) -> Figure:
    """Draw the error of networks by their width, a line for each depth, beside that of networks of steps.

    Args:
        errors: by depth and width.
        steps: error of a network of so many steps; may be empty.
        baseline: error of answering with the mean.
        label: what the errors are.
    """
    figure, (panel,) = panels(1, width=6.8, height=3.6)
    depths = sorted({depth for depth, _ in errors})
    for depth, colour in zip(depths, colours(len(depths) + 1)[: len(depths)], strict=True):
        widths = sorted(width for at, width in errors if at == depth)
        name, heights = f"{depth} hidden layer{'s' if depth > 1 else ''}", [errors[depth, width] for width in widths]
        panel.plot(widths, heights, marker="o", markersize=4, color=colour, label=name)
    if steps:
        panel.plot(list(steps), list(steps.values()), marker="s", markersize=4, color=GREY, label="steps, not learnt")
    panel.axhline(baseline, color=GREY, linestyle=(0, (2, 2)), linewidth=1.2, label="the mean")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set(title="Error by the size of the network", xlabel="units of a hidden layer", ylabel=label)
    panel.grid(axis="y")
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@styled
def fits_by_size(
    across: np.ndarray,
    curves: Sequence[tuple[str, np.ndarray, np.ndarray | None]],
    samples: tuple[np.ndarray, np.ndarray],
    names: tuple[str, str],
) -> Figure:
    """Draw a function of one input as networks have it, a panel for each.

    Args:
        across: inputs, (points,), in order.
        curves: a title, what the network answers, (points,), and what steps of the same number do, (points,) or None.
        samples: inputs and values, (samples,) each.
        names: of the input and of the value.
    """
    figure, axes = panels(len(curves), columns=3, width=3.4, height=2.4)
    for panel, (title, curve, steps) in zip(axes, curves, strict=True):
        panel.scatter(*samples, s=5, color=BLUE, alpha=0.3, linewidth=0, label="samples")
        if steps is not None:
            panel.plot(across, steps, color=ORANGE, linewidth=1.2, label="steps")
        panel.plot(across, curve, color=RED, linewidth=1.8, label="learnt")
        panel.set(title=title, xlabel=text(names[0], 30), ylabel=text(names[1], 30))
    axes[0].legend(loc="best")
    return figure
