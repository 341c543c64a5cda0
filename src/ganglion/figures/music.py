"""Music as pictures: notes as bars in time and height."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganglion.figures.style import BLUE, FAINT, MUTED, RED, empty, panels, styled
from ganglion.figures.words import text as one_line

NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
BLACK = (1, 3, 6, 8, 10)
"""Half tones above C of the black keys."""
OCTAVE = 12
CHORDS = 42
"""Names of chords that fit side by side; of those closer together the first is written."""


@dataclass(frozen=True)
class Roll:
    """A tune to draw."""

    title: str
    notes: np.ndarray
    """Beginning, length and pitch in half tones of each note (notes, 3)."""
    bars: np.ndarray
    """Where bars begin (bars,)."""
    wrong: np.ndarray
    """Which bars are not as long as they should be (bars,)."""
    chords: Sequence[tuple[float, str]] = ()
    """Where chords begin, and their names."""


def _apart(chords: Sequence[tuple[float, str]], least: float) -> list[tuple[float, str]]:
    """Return chords that are at least so far apart.

    >>> _apart([(0, "G"), (1, "D"), (3, "C")], 2)
    [(0, 'G'), (3, 'C')]
    """
    kept: list[tuple[float, str]] = []
    for begin, name in chords:
        if not kept or begin - kept[-1][0] >= least:
            kept.append((begin, name))
    return kept


@styled
def piano_rolls(rolls: Sequence[Roll]) -> Figure:
    """Draw tunes one below the other, time to the right and pitch upwards; bars of a wrong length are red."""
    shown = [roll for roll in rolls if len(roll.notes)]
    if not shown:
        return empty("no notes")
    figure, axes = panels(len(shown), columns=1, width=9.4, height=1.95)
    for panel, roll in zip(axes, shown, strict=True):
        _roll(panel, roll)
    return figure


def _roll(panel: Axes, roll: Roll) -> None:
    begins, lengths, pitches = roll.notes.T
    low, high = int(pitches.min()) - 1, int(pitches.max()) + 1
    end = float((begins + lengths).max())
    for pitch in range(low, high + 1):
        if pitch % OCTAVE in BLACK:
            panel.axhspan(pitch - 0.5, pitch + 0.5, color="#f4f6f8", linewidth=0)
    for begin, after, wrong in zip(roll.bars, [*roll.bars[1:], end], roll.wrong, strict=True):
        panel.axvline(begin, color=FAINT, linewidth=0.9)
        if wrong:
            panel.axvspan(begin, after, color=RED, alpha=0.16, linewidth=0)
    panel.barh(pitches, lengths * 0.96, left=begins, height=0.86, color=BLUE, linewidth=0)
    for begin, name in _apart(roll.chords, end / CHORDS):
        panel.text(begin, high + 0.7, one_line(name, 6), size=6.5, color=MUTED, va="bottom")
    named = [pitch for pitch in range(low, high + 1) if pitch % OCTAVE in (0, 4, 7)]
    panel.set_yticks(named, [f"{NAMES[pitch % OCTAVE]}{pitch // OCTAVE - 1}" for pitch in named])
    panel.set(xlim=(0, end), ylim=(low - 0.5, high + 0.5), xticks=[])
    panel.set_title(one_line(roll.title, 90), pad=15)
