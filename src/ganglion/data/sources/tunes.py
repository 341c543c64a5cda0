"""Tunes made on the spot: jigs, reels, waltzes and polkas of a small grammar, in ABC with chords."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.abc.keys import Key
from ganglion.data.formats.abc.tunes import read_tune

KEYS = {"G": 4, "D": 1, "C": 0, "A": 5, "F": 3, "Em": 2, "Am": 5, "Dm": 1}
"""Keys, and which letter their keynote is, counted from C."""
LETTERS = "CDEFGAB"
LOWEST, HIGHEST = -3, 9
"""How far from the keynote a tune goes, in steps of its scale."""
RHYTHMS = {
    "6/8": (((1, 1, 1), (2, 1), (3,)), 2),
    "4/4": (((1, 1, 1, 1), (2, 1, 1), (1, 1, 2), (2, 2), (3, 1)), 2),
    "3/4": (((2, 2, 2), (4, 2), (2, 1, 1, 2), (3, 1, 2), (2, 2, 1, 1)), 1),
    "2/4": (((1, 1), (2,)), 2),
}
"""What a beat may be made of, in eighth notes, and how many of these groups a bar has."""
PROGRESSIONS = (
    (0, 0, 3, 4, 0, 0, 4, 0), (0, 3, 0, 4, 0, 3, 4, 0), (0, 4, 0, 4, 0, 3, 4, 0), (0, 0, 4, 4, 0, 3, 4, 0),
    (0, 5, 3, 4, 0, 5, 4, 0), (3, 0, 3, 4, 3, 0, 4, 0), (0, 3, 4, 0, 3, 0, 4, 0),
)  # fmt: skip
"""Steps of the scale on which the chords of eight bars stand."""
MAJOR = ("", "m", "m", "", "7", "m", "dim")
MINOR = ("m", "dim", "", "m", "m", "", "")
COUNT = 500


def tunes(random: np.random.Generator, count: int | None) -> Dataset:
    """Tunes of two parts of eight bars, each repeated, whose phrases come again with another end."""
    texts = [read_tune(_tune(random)).text for _ in range(count or COUNT)]
    return Dataset(name="", fields={"tunes": Field(kind="texts", values=texts)})


def _tune(random: np.random.Generator) -> list[str]:
    key, metre = (options[random.integers(len(options))] for options in (list(KEYS), list(RHYTHMS)))
    lines = [f"M:{metre}", "L:1/8", f"K:{key}"]
    for height in (0, int(random.integers(1, 4))):
        bars = _part(random, key, metre, height)
        lines += [f"|:{'|'.join(bars[:4])}|", f"{'|'.join(bars[4:])}:|"]
    return lines


def _part(random: np.random.Generator, key: str, metre: str, height: int) -> list[str]:
    """Return eight bars, of which the fifth and sixth come from the first and second, around a height."""
    roots = PROGRESSIONS[random.integers(len(PROGRESSIONS))]
    bars: list[list[tuple[int, int]]] = []
    step = height
    for place, root in enumerate(roots):
        if place in (4, 5) and root == roots[place - 4]:
            bars.append(bars[place - 4])
        else:
            bars.append(_last(metre) if place == 7 else _bar(random, metre, root, step, height))
        step = bars[-1][-1][0]
    together = sum(RHYTHMS[metre][0][0])
    return [_written(key, root, bar, together) for root, bar in zip(roots, bars, strict=True)]


def _bar(random: np.random.Generator, metre: str, root: int, step: int, height: int) -> list[tuple[int, int]]:
    """Return steps of the scale with lengths: each group begins on a note of the chord and goes on by steps."""
    groups, times = RHYTHMS[metre]
    bar = []
    for _ in range(times):
        chord = [tone for octave in (-7, 0, 7) for tone in (root + octave, root + octave + 2, root + octave + 4)]
        near = sorted((tone for tone in chord if LOWEST <= tone <= HIGHEST), key=lambda tone: abs(tone - step))
        step = near[random.integers(3)]
        way = 1 if step < height + 2 else -1
        for number, length in enumerate(groups[random.integers(len(groups))]):
            if number:
                step += way if random.random() < 0.8 else -2 * way
                step = min(HIGHEST, max(LOWEST, step))
            bar.append((step, length))
    return bar


def _last(metre: str) -> list[tuple[int, int]]:
    """Return the bar that ends a part on the keynote."""
    lengths = {"6/8": (3, 3), "4/4": (2, 2, 4), "3/4": (2, 4), "2/4": (2, 2)}[metre]
    return list(zip((2, 0, 0)[-len(lengths) :], lengths, strict=True))


def _written(key: str, root: int, bar: list[tuple[int, int]], together: int) -> str:
    """Return a bar in ABC with its chord; notes stand together as far as they fill so many eighths."""
    first, words, passed = KEYS[key], "", 0
    qualities = MINOR if key.endswith("m") else MAJOR
    for step, length in bar:
        words += " " * (passed > 0 and passed % together == 0) + _note(first + step, length)
        passed += length
    return f'"{_sharpened(key, LETTERS[(first + root) % 7])}{qualities[root]}"{words}'


def _note(place: int, length: int) -> str:
    """Return a step above the C below the staff as a note.

    >>> [_note(place, 2) for place in (-1, 0, 7, 14)]
    ['B,2', 'C2', 'c2', "c'2"]
    """
    octave, letter = divmod(place, 7)
    word = LETTERS[letter] if octave <= 0 else LETTERS[letter].lower()
    return word + "," * -octave + "'" * (octave - 1) + ("" if length == 1 else str(length))


def _sharpened(key: str, letter: str) -> str:
    """Return the name of a chord on a letter, as the key has it.

    >>> _sharpened("D", "F"), _sharpened("F", "B"), _sharpened("C", "F")
    ('F#', 'Bb', 'F')
    """
    return letter + {1: "#", -1: "b", 0: ""}[Key.named(key).altered.get(letter, 0)]
