"""How likely each whole number is, as whole numbers that add up to 65536: counted once, kept with the run."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit

from ganglion.errors import CheckpointError
from ganglion.tasks.shared.compressing.whole_numbers import BIN, FRACTIONS, LOWEST, UNIT, WIDTHS

TOTAL = 1 << 16
"""What the counts of a table add up to."""
PRIOR = 200.0
"""Numbers for which the learnt distribution stands beside those that were counted."""
REACH = 9.0
"""Widths to each side that a table covers; what lies farther away is written in full."""
MARGIN = 3
WRITTEN = 1 << 18
"""Numbers that can be written in full: half of them below 0."""


def reaches() -> np.ndarray:
    """Return how far from the expected number each table reaches, (tables,)."""
    widths = np.exp((LOWEST + BIN * (np.arange(WIDTHS) + 1)) / UNIT)
    return np.repeat(np.ceil(REACH * widths).astype(int) + MARGIN, FRACTIONS)


@dataclass(frozen=True)
class Tables:
    """For each width and each place of the mean between two numbers: counts of what a number differs by.

    A table holds the differences from -reach to reach, and last what is farther away.
    """

    counts: tuple[np.ndarray, ...]
    """Of each table, (2 reach + 2,), at least 1 each, with the sum `TOTAL`."""

    @classmethod
    def of(cls, found: "Counting") -> Self:
        """Return tables for what was counted and what was learnt."""
        return cls(tuple(_whole(seen + PRIOR * _learnt(table)) for table, seen in enumerate(found.seen)))

    def flat(self) -> np.ndarray:
        """Return all counts (counts,), one table after the other, int32."""
        return np.concatenate(self.counts).astype(np.int32)

    @classmethod
    def from_flat(cls, values: np.ndarray) -> Self:
        """Return the tables of counts (counts,) as `flat` gave them; raise `CheckpointError` where these are none."""
        parts = np.split(values.astype(np.int64), np.cumsum(2 * reaches() + 2)[:-1])
        if any(part.sum() != TOTAL or (part < 1).any() for part in parts) or len(values) != sum(2 * reaches() + 2):
            raise CheckpointError(
                "what this run expects of codes is damaged",
                where="state.expectations.numbers.tables of config.json",
                expected=f"tables of whole numbers with the sum {TOTAL}",
                found=f"{len(values)} numbers",
                remedy="put the original file back, or train again",
            )
        return cls(tuple(parts))


class Counting:
    """Counts what numbers differ by from what was expected."""

    def __init__(self) -> None:
        self.seen = [np.zeros(2 * reach + 2) for reach in reaches()]

    def add(self, differences: np.ndarray, tables: np.ndarray) -> None:
        """Count differences of any shape, by the numbers of their tables."""
        order = np.argsort(tables, axis=None)
        differences, tables = differences.ravel()[order], tables.ravel()[order]
        for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(tables)) + 1):
            table = int(tables[part[0]])
            reach = len(self.seen[table]) // 2 - 1
            self.seen[table] += np.bincount(places(differences[part], reach), minlength=2 * reach + 2)


def places(differences: np.ndarray, reach: int) -> np.ndarray:
    """Return where differences of any shape stand in a table, those too large at its end."""
    return np.where(np.abs(differences) <= reach, differences + reach, 2 * reach + 1)


def _learnt(table: int) -> np.ndarray:
    """Return the learnt distribution (2 reach + 2,) of a table, logistic around the middle of its place."""
    reach = int(reaches()[table])
    width = np.exp((LOWEST + BIN * (table // FRACTIONS + 0.5)) / UNIT)
    mean = (table % FRACTIONS + 0.5) / FRACTIONS - 0.5
    edges = (np.arange(-reach, reach + 2) - 0.5 - mean) / width
    below = expit(edges)
    return np.append(np.diff(below), below[0] + expit(-edges[-1]))


def _whole(weights: np.ndarray) -> np.ndarray:
    """Return whole numbers, at least 1, in proportion to weights (symbols,), with the sum `TOTAL`.

    >>> _whole(np.array([1.0, 0.0, 3.0])).tolist()
    [16384, 1, 49151]
    """
    shares = weights / weights.sum() * (TOTAL - len(weights))
    counts = np.floor(shares).astype(np.int64)
    missing = TOTAL - len(weights) - counts.sum()
    counts[np.argsort(counts - shares, kind="stable")[:missing]] += 1
    return counts + 1
