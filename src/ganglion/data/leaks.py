"""Columns that alone say what is to be predicted: whoever learns from them has learnt nothing."""

from collections.abc import Iterator, Mapping, Sequence
from shlex import quote

import numpy as np

from ganglion.findings import Finding

FEWEST_ROWS = 100
MOST_ROWS = 5_000
"""Rows that are looked at."""
MOST_COLUMNS = 1_000
MOST_TEXTS = 20_000
"""Texts that are looked at."""
MOST_SERIES = 20
"""Columns of a series that are compared."""
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


def text_leaks(texts: Sequence[str], targets: np.ndarray) -> Iterator[Finding]:
    """Name what of texts alone predicts the class almost perfectly: their length, their first or their last word.

    Args:
        targets: Class numbers `(texts,)` int64.

    >>> texts = [f"{'ab'[n % 2]} {n}" for n in range(200)]
    >>> [found.message for found in text_leaks(texts, np.arange(200) % 2)]
    ['the first word of the texts alone predicts the target almost perfectly']
    """
    words = [text.split() or [""] for text in texts[:MOST_TEXTS]]
    columns = {
        "the length": np.array([float(len(text)) for text in texts[:MOST_TEXTS]]),
        "the first word": np.array([each[0] for each in words], dtype=object),
        "the last word": np.array([each[-1] for each in words], dtype=object),
    }
    remedy = "is it a part of what is asked about later? if not, remove it from the texts"
    yield from _named({f"{name} of the texts": column for name, column in columns.items()}, targets, remedy)


def picture_leaks(shapes: Mapping[str, np.ndarray], targets: np.ndarray) -> Iterator[Finding]:
    """Name what of the files of pictures alone predicts the target almost perfectly, whatever they show.

    Args:
        shapes: What files are like, such as their heights `(pictures,)`, by what it is called.
        targets: Class numbers `(pictures,)` int64, or quantities `(pictures,)` float64.
    """
    remedy = "save all pictures in one way, or a network may learn how they were made instead of what they show"
    yield from _named({f"{name} of the pictures": column for name, column in shapes.items()}, targets, remedy)


def series_leaks(columns: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Name columns of a series `(time,)` that say the next value of another one, which that one does not say itself.

    >>> values = np.random.default_rng(0).normal(size=300)
    >>> [found.message for found in series_leaks({"sales": values, "plan": np.roll(values, -1) + 5})]
    ["column 'plan' alone predicts the next value of 'sales' almost perfectly"]
    """
    names = list(columns)[:MOST_SERIES]
    for target in names:
        following = columns[target][1:].astype(np.float64)
        if len(following) < FEWEST_ROWS or not np.isfinite(following).all():
            continue
        if foretold(columns[target][:-1], following) >= ORDERED:
            continue
        for name in names:
            if name != target and (share := foretold(columns[name][:-1], following)) >= ALMOST_ALL:
                message = f"column {name!r} alone predicts the next value of {target!r} almost perfectly"
                yield _finding(message, share, f"is it known by then? if not, leave it out with --drop {quote(name)}")


def known_leaks(values: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Name columns `(time,)` said to be known in advance that alone say a value of the same row almost perfectly.

    >>> sales = np.random.default_rng(0).normal(size=300)
    >>> [found.message for found in known_leaks({"sales": sales}, {"revenue": 3 * sales})]
    ["column 'revenue', said to be known in advance, alone says 'sales' of the same row almost perfectly"]
    """
    for target, truth in values.items():
        rows = np.isfinite(truth)
        if rows.sum() < FEWEST_ROWS or (truth[rows] == truth[rows][0]).all():
            continue
        for name, column in known.items():
            if (share := foretold(column[rows], truth[rows])) >= ALMOST_ALL:
                message = f"column {name!r}, said to be known in advance, alone says {target!r} of the same row"
                remedy = f"is it known by then? if not, leave {quote(name)} out of --known"
                yield _finding(f"{message} almost perfectly", share, remedy)


def _named(columns: Mapping[str, np.ndarray], targets: np.ndarray, remedy: str) -> Iterator[Finding]:
    targets = targets[: len(next(iter(columns.values())))]
    if len(targets) < FEWEST_ROWS or targets.ndim != 1 or (targets == targets[0]).all():
        return
    for name, column in columns.items():
        if (share := foretold(column, targets)) >= ALMOST_ALL:
            yield _finding(f"{name} alone predicts the target almost perfectly", share, remedy)


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
