"""Topics: the words that each is made of, and how much of which texts is of it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import PAPER, colours, empty, panels, styled
from ganglion.figures.words import text

MOST_TOPICS = 24
MOST_CLASSES = 24


@styled
def topic_words(rows: Sequence[tuple[int, Sequence[tuple[str, float]]]]) -> Figure:
    """Draw the likeliest words of each topic: its number from 0 on, and words with their probabilities."""
    if not rows:
        return empty("no topics")
    shown = rows[:MOST_TOPICS]
    figure, axes = panels(len(shown), columns=4, width=2.7, height=1.9)
    for panel, (number, words), shade in zip(axes, shown, colours(len(shown)), strict=True):
        places = -np.arange(len(words))
        panel.barh(places, [chance for _, chance in words], color=shade, height=0.72)
        panel.set_yticks(places, [text(word, 14) for word, _ in words])
        panel.tick_params(axis="y", length=0)
        panel.set_xticks([])
        panel.spines["bottom"].set_visible(False)
        panel.set_title(f"topic {number + 1}")
    return figure


@styled
def shares(values: np.ndarray, classes: Sequence[object], names: Sequence[str]) -> Figure:
    """Draw the mean share of each topic in the texts of each class, (classes, topics), the darker the larger."""
    if not values.size:
        return empty("no texts")
    shown, labels = values[:MOST_CLASSES, :MOST_TOPICS], names[:MOST_TOPICS]
    height = 1.9 + 0.27 * len(shown)
    figure, (panel,) = panels(1, width=1.9 + 0.36 * len(labels), height=height + 0.6)
    image = panel.imshow(shown, cmap="Blues", vmin=0, aspect="auto", interpolation="nearest")
    panel.set_xticks(np.arange(len(labels)), [text(name, 34) for name in labels], rotation=60, ha="right", size=7.5)
    panel.set_yticks(np.arange(len(shown)), [text(name, 28) for name in classes[:MOST_CLASSES]])
    panel.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(len(shown) + 1) - 0.5, minor=True)
    panel.grid(which="minor", color=PAPER, linewidth=1)
    panel.tick_params(which="both", length=0)
    figure.colorbar(image, ax=panel, label="share of the text", shrink=0.8)
    panel.set_title("What the texts are of")
    return figure
