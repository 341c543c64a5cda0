"""Texts as pictures: a passage as it is, what was expected next along it, and words that speak for an answer."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganglion.errors import UsageError
from ganglion.figures.style import BLUE, INK, MUTED, RED, SIGNED, empty, panels, styled
from ganglion.figures.words import text as one_line

LINE, LINES = 104, 30
"""Characters of a line, and lines of a passage, that can be read at the width of a report."""
LETTERS = 9
"""Of a token that are shown where many stand side by side."""
SIGNS = {"\n": "↵", "\t": "⇥", " ": "␣"}
"""How characters without a shape are shown."""


@styled
def passage(words: str, title: str) -> Figure:
    """Draw a text as it is, wrapped where its lines are too long, as far as a page holds it."""
    lines = [part for line in words.split("\n") for part in textwrap.wrap(line, LINE) or [""]]
    shown = lines[:LINES] + ["…"] * (len(lines) > LINES)
    figure, (panel,) = panels(1, width=8.6, height=0.5 + 0.19 * len(shown))
    panel.set_axis_off()
    panel.set_title(one_line(title, 70))
    for number, line in enumerate(shown):
        panel.text(0, -number, _drawable(line), family="monospace", size=9, va="top")
    panel.set(xlim=(0, 1), ylim=(-len(shown), 0.3))
    return figure


@styled
def next_tokens(
    tokens: Sequence[str],
    likeliest: Sequence[Sequence[str]],
    shares: np.ndarray,
    right: np.ndarray,
    called: str = "character",
) -> Figure:
    """Draw along a passage which tokens were held likeliest, and how likely the one that came was.

    Args:
        tokens: what stands in the passage.
        likeliest: for each place the tokens held likeliest, from the first down.
        shares: their probabilities `(places, ranks)`.
        right: the probability of the token that stands there `(places,)`.
        called: what a token is.
    """
    if not len(tokens):
        return empty("no text")
    if shares.shape != (len(tokens), len(likeliest[0])):
        expected = str((len(tokens), len(likeliest[0])))
        raise UsageError("a probability for each token held likely", expected=expected, found=str(shares.shape))
    letters = min(LETTERS, max(len(token) for row in (tokens, *likeliest) for token in row))
    column = 0.155 if letters == 1 else 0.1 + 0.078 * letters
    figure, (chance, panel) = panels(2, columns=1, width=max(6.0, column * len(tokens)), height=1.5)
    places = np.arange(len(tokens))
    chance.bar(places, right, color=BLUE, width=0.85)
    chance.set(xlim=(-0.6, len(tokens) - 0.4), ylim=(0, 1), ylabel="probability")
    chance.set_title(f"How likely each {called} was before it came: {right.mean():.0%} on average")
    chance.set_xticks(places, [_sign(token) for token in tokens], family="monospace")
    chance.tick_params(axis="x", length=0, labelsize=9, labelcolor=INK)
    panel.imshow(shares.T, cmap="Blues", vmin=0, vmax=2, aspect="auto")
    for place, guesses in enumerate(likeliest):
        for rank, guess in enumerate(guesses):
            came = guess == tokens[place]
            panel.text(
                place, rank, _sign(guess), ha="center", va="center", family="monospace", size=9,
                weight="bold" if came else "normal", color=INK if came else MUTED,
            )  # fmt: skip
    panel.set_xticks([])
    panel.set_yticks(range(shares.shape[1]), [str(rank + 1) for rank in range(shares.shape[1])])
    panel.set_title("Held likeliest before it came; bold where it did")
    return figure


@styled
def coloured_words(
    rows: Sequence[Sequence[str]], weights: Sequence[Sequence[float]], captions: Sequence[str], title: str
) -> Figure:
    """Draw sentences whose words are coloured by what they weigh: blue for, orange against.

    Args:
        rows: the words of each sentence.
        weights: a number for each word.
        captions: what stands above each sentence.
    """
    if not rows:
        return empty("no sentences")
    places = [_laid_out(words) for words in rows]
    heights = [2 + places_of[-1][1] if places_of else 2 for places_of in places]
    figure, (panel,) = panels(1, width=8.6, height=0.4 + 0.24 * sum(heights))
    panel.set_axis_off()
    panel.set_title(one_line(title, 80))
    largest = max((abs(weight) for row in weights for weight in row), default=0.0) or 1.0
    top = 0.0
    for words, values, laid, caption, height in zip(rows, weights, places, captions, heights, strict=True):
        panel.text(0, -top, one_line(caption, 100), size=8, color=MUTED, va="center")
        for word, value, (column, line) in zip(words, values, laid, strict=True):
            _coloured(panel, word, value / largest, column, -top - 1 - line)
        top += height + 0.3
    panel.set(xlim=(0, LINE), ylim=(-top, 0.6))
    return figure


def _coloured(panel: Axes, word: str, value: float, column: int, line: float) -> None:
    shade = SIGNED(Normalize(-1.4, 1.4)(value))
    box = {"facecolor": shade, "edgecolor": "none", "pad": 1.2}
    panel.text(column, line, _drawable(word), family="monospace", size=9, va="center", bbox=box)


def _laid_out(words: Sequence[str]) -> list[tuple[int, int]]:
    """Return the column and the line of every word."""
    column, line, places = 0, 0, []
    for word in words:
        if column and column + len(word) > LINE:
            column, line = 0, line + 1
        places.append((column, line))
        column += len(word) + 1
    return places


def _sign(token: str) -> str:
    return _drawable(SIGNS.get(token, one_line(token, LETTERS) if len(token) > 1 else token))


def _drawable(line: str) -> str:
    """Return a text of which no character is read as a formula, and none is half of one."""
    return line.encode("utf-8", "replace").decode().replace("$", r"\$")


@styled
def step_answers(
    rows: Sequence[Sequence[str]], truths: Sequence[Sequence[str]], shares: Sequence[np.ndarray], names: Sequence[str]
) -> Figure:
    """Draw for sequences how likely each answer was held at each step; a frame marks the true one.

    Args:
        rows: the tokens of each sequence.
        truths: the true answer at each token.
        shares: probabilities `(tokens, answers)` of each sequence.
        names: what the answers are called.
    """
    if not rows:
        return empty("no sequences")
    longest = max(map(len, rows))
    figure, axes = panels(len(rows), columns=1, width=max(6.0, 1.4 + 0.5 * longest), height=0.75 + 0.17 * len(names))
    for panel, tokens, truth, probabilities in zip(axes, rows, truths, shares, strict=True):
        panel.imshow(probabilities.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for place, tag in enumerate(truth):
            if tag in names:
                corner = (place - 0.5, list(names).index(tag) - 0.5)
                panel.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=RED, linewidth=1.1))
        panel.set_xlim(-0.5, longest - 0.5)
        panel.set_xticks(range(len(tokens)), [one_line(token, 10) for token in tokens], rotation=35, ha="right")
        panel.set_yticks(range(len(names)), [one_line(name, 14) for name in names])
    axes[0].set_title("Answers step by step: the darker, the likelier; framed: true")
    return figure
