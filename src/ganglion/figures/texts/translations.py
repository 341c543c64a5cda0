"""Where a network looks while it writes, and how good what it writes is."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, MUTED, empty, panels, styled
from ganglion.figures.words import text

Matrix = tuple[Sequence[str], Sequence[str], np.ndarray]
"""Tokens that were read, tokens that were written, and the weights `(written, read)`."""


@styled
def attention_matrices(matrices: Sequence[Matrix]) -> Figure:
    """Draw for each sentence how much every token that was read (across) counts for every one written (down)."""
    if not matrices:
        return empty("no sentences")
    side = max(max(len(read), len(written)) for read, written, _ in matrices)
    figure, axes = panels(len(matrices), columns=2, width=1.6 + 0.21 * side, height=1.3 + 0.19 * side)
    for panel, (read, written, weights) in zip(axes, matrices, strict=True):
        panel.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        panel.set_xticks(range(len(read)), [text(token, 14) for token in read], rotation=60, ha="right", size=8)
        panel.set_yticks(range(len(written)), [text(token, 14) for token in written], size=8)
        panel.set_xlabel("read")
    figure.suptitle("Attention: the darker, the more a word counts")
    return figure


@styled
def by_length(names: Sequence[str], scores: Sequence[float], counts: Sequence[int]) -> Figure:
    """Draw BLEU of groups of sentences by the length of their source.

    Args:
        names: the lengths of each group.
        scores: from 0 to 100.
        counts: sentences in each group.
    """
    if not names:
        return empty("no sentences")
    figure, (panel,) = panels(1, width=6.4, height=3.0)
    places = range(len(names))
    panel.bar(places, scores, color=BLUE, width=0.7)
    for place, score, count in zip(places, scores, counts, strict=True):
        panel.text(place, score, f"{score:.1f}\n{count} sentences", ha="center", va="bottom", size=8, color=MUTED)
    panel.set_xticks(places, [text(name, 12) for name in names])
    panel.set(ylim=(0, 1.25 * max(max(scores), 1.0)), xlabel="tokens of the source", ylabel="BLEU")
    panel.set_title("BLEU by the length of the sentence")
    return figure
