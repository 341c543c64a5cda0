"""Gates and states of a recurrent layer, unit by unit and step by step."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ganglion.figures.style import SIGNED, empty, styled
from ganglion.figures.training import ticks
from ganglion.figures.words import text

MOST_UNITS, MOST_STEPS = 48, 120
"""Units and steps drawn at most; more would be too small to see."""


@styled
def gates(parts: Mapping[str, np.ndarray], labels: Sequence[str] = (), title: str = "") -> Figure:
    """Draw the parts of one layer `(units, steps)`, gates in [0, 1] and states around zero, one below the other.

    Of many units those that change most are drawn, the same in every part; of many steps the first ones.
    """
    if not parts or not all(values.size for values in parts.values()):
        return empty("no gates")
    units, steps = next(iter(parts.values())).shape
    steps = min(steps, MOST_STEPS)
    restless = sum(values[:, :steps].std(axis=1) for values in parts.values())
    shown = np.argsort(-np.asarray(restless), kind="stable")[:MOST_UNITS]
    few = f"  ({len(shown)} of {units} units, those that change most)" if len(shown) < units else f"  ({units} units)"
    figure = Figure(
        figsize=(float(np.clip(0.11 * steps + 3, 6, 13)), 1.5 * len(parts) + 0.7),
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06),
    )
    panels = figure.subplots(len(parts), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(text(title, 40) + few, x=0.01, ha="left", size=10.5, weight="bold")
    for panel, (name, values) in zip(panels, parts.items(), strict=True):
        drawn = values[shown, :steps]
        reach = float(np.nanmax(np.abs(drawn))) or 1.0
        is_gate = name.endswith("gate")
        scale = (
            {"cmap": "cividis", "vmin": 0, "vmax": 1} if is_gate else {"cmap": SIGNED, "vmin": -reach, "vmax": reach}
        )
        image = panel.imshow(drawn, aspect="auto", interpolation="nearest", **scale)
        bar = figure.colorbar(image, ax=panel, pad=0.01, aspect=12)
        bar.outline.set_visible(False)
        panel.set_ylabel(name)
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
    columns = list(labels[:steps]) or range(1, steps + 1)
    if labels and all(len(label) <= 1 for label in labels[:steps]):
        panels[-1].set_xticks(range(len(columns)), [text(label) or "·" for label in columns], family="monospace")
    else:
        ticks(panels[-1], [], columns)
    panels[-1].set_xlabel("" if labels else "step")
    return figure
