"""Patterns of units that are on or off, as the first Boltzmann machines were given them."""

from collections.abc import Callable

import numpy as np

from ganglion.data.dataset import Dataset

Source = Callable[[np.random.Generator, int | None], Dataset]


def encoder(width: int) -> Source:
    """Return the encoder problem of this width: one unit of the left group is on, and its twin in the right group.

    Source: Ackley, Hinton and Sejnowski 1985, section 4.
    """

    def patterns(random: np.random.Generator, count: int | None) -> Dataset:
        on = random.permutation(np.arange(count or 100 * width) % width)
        group = np.eye(width)[on]
        return _units(np.concatenate([group, group], axis=1), [*_names("left", width), *_names("right", width)])

    return patterns


def shifter(random: np.random.Generator, count: int | None) -> Dataset:
    """A row of four units at random; the same row moved left, not at all, or right; and which of the three it was.

    The row is closed to a ring. No two units together tell the shift: only hidden units can.
    Source: Hinton and Sejnowski 1986, with rows of eight.
    """
    samples, width = count or 960, 4
    row = random.integers(2, size=(samples, width))
    shift = random.permutation(np.arange(samples) % 3) - 1
    moved = row[np.arange(samples)[:, None], (np.arange(width) - shift[:, None]) % width]
    names = [*_names("row", width), *_names("moved", width), "to the left", "not at all", "to the right"]
    return _units(np.concatenate([row, moved, np.eye(3)[shift + 1]], axis=1), names)


def _names(group: str, width: int) -> list[str]:
    return [f"{group} {number}" for number in range(1, width + 1)]


def _units(rows: np.ndarray, names: list[str]) -> Dataset:
    return Dataset.of(name="", kind="tabular", inputs=rows.astype(np.float32), column_names=tuple(names))
