"""Sounds as pictures of time and pitch, and what in them spoke for an answer."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.style import GREY, SIGNED, colours, empty, panels, styled
from ganglion.figures.words import text

COLUMNS = 3


@styled
def spectrograms(
    spectra: Sequence[np.ndarray], parts: Sequence[np.ndarray], titles: Sequence[str], hop: float
) -> Figure:
    """Draw for each sound its spectrogram, and below it how much each part of it spoke for the answer.

    Args:
        spectra: levels (pitches, frames), the lowest pitch first.
        parts: blue above zero, orange below, in the same shape; each in a scale of its own.
        titles: what stands above each sound.
        hop: seconds from frame to frame.
    """
    if not spectra:
        return empty("no sounds")
    columns = min(COLUMNS, len(spectra))
    rows = -(-len(spectra) // columns)
    figure, axes = panels(2 * rows * columns, columns=columns, width=3.4, height=1.75)
    for panel in axes:
        panel.set_axis_off()
    for place, (levels, part, title) in enumerate(zip(spectra, parts, titles, strict=True)):
        row, column = divmod(place, columns)
        upper, lower = (axes[(2 * row + below) * columns + column] for below in (0, 1))
        extent = (0.0, levels.shape[1] * hop, 0.0, float(levels.shape[0]))
        upper.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma")
        scale = float(np.quantile(np.abs(part), 0.995)) or 1.0
        lower.imshow(part, origin="lower", aspect="auto", extent=extent, cmap=SIGNED, vmin=-scale, vmax=scale)
        upper.set_title(text(title))
        for panel in (upper, lower):
            panel.set_axis_on()
            panel.set(yticks=[])
        upper.set_xticks([])
        upper.set_ylabel("pitch" if column == 0 else "")
        lower.set(xlabel="seconds", ylabel="evidence" if column == 0 else "")
    return figure


@styled
def spelled_out(
    spectra: Sequence[np.ndarray],
    shares: Sequence[np.ndarray],
    names: Sequence[str],
    titles: Sequence[str],
    hop: float,
) -> Figure:
    """Draw for each sound its spectrogram, and below it how likely each letter is at each step.

    Args:
        spectra: levels (pitches, frames), the lowest pitch first.
        shares: probabilities (steps, letters), the first letter being the blank, which is drawn in grey.
        names: of the letters.
        titles: what stands above each sound.
        hop: seconds from frame to frame.
    """
    if not spectra:
        return empty("no sounds that are short enough to draw")
    columns = min(2, len(spectra))
    rows = -(-len(spectra) // columns)
    figure, axes = panels(2 * rows * columns, columns=columns, width=5.0, height=1.75)
    for panel in axes:
        panel.set_axis_off()
    for place, (levels, likely, title) in enumerate(zip(spectra, shares, titles, strict=True)):
        row, column = divmod(place, columns)
        upper, lower = (axes[(2 * row + below) * columns + column] for below in (0, 1))
        seconds = levels.shape[1] * hop
        upper.imshow(levels, origin="lower", aspect="auto", extent=(0, seconds, 0, len(levels)), cmap="magma")
        times = (np.arange(len(likely)) + 0.5) * seconds / max(1, len(likely))
        lower.plot(times, likely[:, 0], color=GREY, linestyle=(0, (2, 2)), linewidth=1.0)
        heard = [letter for letter in range(1, likely.shape[1]) if likely[:, letter].max() > 0.2]
        for letter, colour in zip(heard, colours(len(heard)), strict=True):
            lower.plot(times, likely[:, letter], color=colour)
            for peak in _peaks(likely[:, letter]):
                lower.text(times[peak], 1.03, text(names[letter]), color=colour, ha="center", fontweight="bold")
        for panel in (upper, lower):
            panel.set_axis_on()
        upper.set(title=text(title), yticks=[], xticks=[], ylabel="pitch" if column == 0 else "")
        lower.set(xlim=(0, seconds), ylim=(0, 1.2), xlabel="seconds", ylabel="probability" if column == 0 else "")
    return figure


def _peaks(values: np.ndarray) -> list[int]:
    """Return where values (steps,) above one half are largest, once for each time that they rise above it."""
    high = values > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], high, [False]]).astype(int)))
    return [int(first + values[first:last].argmax()) for first, last in edges.reshape(-1, 2)]
