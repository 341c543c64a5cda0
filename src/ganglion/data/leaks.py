"""Columns that alone say what is to be predicted: whoever learns from them has learnt nothing."""

from collections.abc import Iterator, Mapping
from shlex import quote

import numpy as np

from ganglion.findings import Finding

FEWEST_ROWS = 100
MOST_ROWS = 5_000
"""Rows that are looked at."""
MOST_COLUMNS = 1_000
ALMOST_ALL = 0.98
"""Share of what the commonest class, or the mean, gets wrong that one column gets right."""


ORDERED = 0.9
"""The same for the order of the rows, where those at the borders of the classes are answered wrongly."""


def leak_findings(columns: Mapping[str, np.ndarray], targets: np.ndarray, order: bool = False) -> Iterator[Finding]:
    """Name the columns that alone predict the target almost perfectly.

    Args:
        columns: Values of each `(rows,)`, numbers or objects.
        targets: Class numbers `(rows,)` int64, or quantities `(rows,)` float64; others are not looked at.
        order: Whether the order of the rows is looked at, too.

    >>> targets = np.arange(200) % 2
    >>> [found.message for found in leak_findings({"copy": targets * 5.0}, targets)]
    ["column 'copy' alone predicts the target almost perfectly"]
    """
    if len(targets) < FEWEST_ROWS or targets.ndim != 1 or (targets == targets[0]).all():
        return
    for name, column in list(columns.items())[:MOST_COLUMNS]:
        share = foretold(column, targets)
        if share >= ALMOST_ALL:
            yield _finding(
                f"column {name!r} alone predicts the target almost perfectly",
                share,
                f"is it known before the target is? if not, leave it out with --drop {quote(name)}",
            )
    if order and (share := foretold(np.arange(len(targets), dtype=np.float64), targets)) >= ORDERED:
        remedy = "a column that counts the rows would say it, too; such columns are left out"
        yield _finding("the order of the rows alone predicts the target almost perfectly", share, remedy, "info")


def _finding(message: str, share: float, remedy: str, level: str = "warn") -> Finding:
    return Finding(
        name="leak",
        level="warn" if level == "warn" else "info",
        message=message,
        measure="share that is right of what a guess gets wrong",
        value=share,
        threshold=ALMOST_ALL,
        remedy=remedy,
    )


def foretold(column: np.ndarray, targets: np.ndarray) -> float:
    """Return how much better than the commonest class, or the mean, one column answers: 1 if it is always right.

    Half of the rows are answered for by those rows of the other half that are nearest, or that have the same text. Both
    arrays are (rows,).
    """
    chosen = np.random.default_rng(0).permutation(len(targets))[:MOST_ROWS]
    half = len(chosen) // 2
    known, asked = chosen[:half], chosen[half:]
    if column.dtype == object:
        numbers = np.unique([str(cell) for cell in column], return_inverse=True)[1].astype(np.float64)
        said = _nearest(numbers[known], targets[known], numbers[asked], exact=True)
    else:
        said = _nearest(column[known], targets[known], column[asked])
    truth = targets[asked]
    if targets.dtype.kind == "i":
        guess = float(np.mean(truth == np.bincount(targets[known]).argmax()))
        return (float(np.mean(said == truth)) - guess) / (1 - guess) if guess < 1 else 0.0
    spread = float(np.mean((truth - targets[known].mean()) ** 2))
    return 1 - float(np.mean((said - truth) ** 2)) / spread if spread else 0.0


def _nearest(known: np.ndarray, targets: np.ndarray, asked: np.ndarray, exact: bool = False) -> np.ndarray:
    """Return for each asked number the target of the nearest known one; a missing number is beyond all others."""
    far = np.nanmin(known, initial=0.0) - 1.0
    known, asked = np.nan_to_num(known, nan=far), np.nan_to_num(asked, nan=far)
    order = np.argsort(known, kind="stable")
    values, targets = known[order], targets[order]
    right = np.searchsorted(values, asked).clip(0, len(values) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(values[left] - asked) < np.abs(values[right] - asked), left, right)
    said = targets[nearest]
    if exact:
        usual = np.bincount(targets).argmax() if targets.dtype.kind == "i" else targets.mean()
        said = np.where(values[nearest] == asked, said, usual)
    return said
