"""Which column of a table is predicted, from which others, and which merely count or name the rows."""

import re
from shlex import quote

import numpy as np

from ganglion.data.formats.tables import Table, is_numeric, missing_in
from ganglion.data.formats.tables.evidence import MOST_CATEGORIES
from ganglion.data.formats.targets import are_classes
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.settings import unknown_name

TARGET_NAMES = (
    "target",
    "label",
    "class",
    "y",
    "outcome",
    "output",
    "species",
    "diagnosis",
    "result",
    "quality",
    "rating",
)
NO_TARGET = "none"
"""Given as the target, it makes all columns inputs."""
ROW_NUMBER_NAMES = ("id", "no", "no.", "index", "row", "unnamed: 0", "column 1", "")
NAMES_ROWS = re.compile(r"(?:.*[\W_])?(?:id|uuid|guid|nr|no|index|key)\.?", re.IGNORECASE)
CAMEL_ID = re.compile(r".*[a-z](?:Id|ID|No|Nr|Key)")
FEWEST_ROWS = 100
"""Rows from which on whole numbers that hardly recur are taken for names, whatever the column is called."""
FEWEST_IN_STEPS = 10
"""Rows from which on whole numbers in constant steps are taken for a count, whatever the column is called."""
FEWEST_TEXTS = 10
OFTEN = 20
"""Times that each value of the last column occurs on the average where it is predicted beside a column of classes."""
DISTINCT = 0.99
"""Share of different values that makes a column one of names."""


def find_target(table: Table, settings: DataSettings) -> tuple[str | None, str]:
    """Return the column to predict and how it was found."""
    if settings.target == NO_TARGET and NO_TARGET not in table.names:
        return None, "no target: all columns are inputs"
    if settings.target is not None:
        table[settings.target]
        return settings.target, "as asked"
    left = [name for name in table.names if name not in (*settings.drop, settings.index, settings.weights)]
    if len(left) == 1:
        return None, "no target: there is only one column"
    lower = [name.lower() for name in left]
    for known in TARGET_NAMES:
        if known in lower:
            return left[lower.index(known)], "by its name"
    if (
        not table.named
        and settings.header == "auto"
        and _holds_classes(table, left[0])
        and not _holds_classes(table, left[-1])
        and not _recurs(table, left[-1])
    ):
        raise DataError(
            "which column of this table is to be predicted is open",
            where=table.source,
            expected="a header, or a last column of values that recur",
            found=f"classes in {left[0]!r}, none in {left[-1]!r}, and no names",
            remedy=f"say which with --target '{left[0]}' or --target '{left[-1]}'",
        )
    return left[-1], "the last one"


def _recurs(table: Table, name: str) -> bool:
    """Whether the values of a column, such as ages in years, occur so often that it may be counted in them."""
    column = table.columns[table.names.index(name)]
    return len(np.unique(column.astype(str))) * OFTEN <= len(column)


def _holds_classes(table: Table, name: str) -> bool:
    """Whether a column holds classes that recur, by the rule for targets."""
    column = table.columns[table.names.index(name)]
    if name in table.doubts or missing_in(column).any():
        return False
    if not is_numeric(column):
        return not _is_wordy(column)
    return len(np.unique(column)) > 1 and are_classes(column)


def find_inputs(table: Table, target: str | None, settings: DataSettings, notes: list[str]) -> list[str]:
    """Return the columns to predict from, and note what is left out and why."""
    if settings.columns:
        return _chosen(table, target, settings)
    for name in (*settings.drop, *filter(None, [settings.index, settings.weights])):
        if name not in table.names:
            raise unknown_name("column", name, list(table.names), where=table.source)
    inputs, counting, wordy = [], [], []
    for name, column in zip(table.names, table.columns, strict=True):
        if name in (target, *settings.drop, settings.index, settings.weights):
            continue
        is_clear = (name not in table.doubts and name not in table.measures) or names_rows(name)
        if is_clear and name not in settings.numbers and only_counts(name, column):
            counting.append(name)
        elif name not in table.doubts and not is_numeric(column) and _is_wordy(column):
            wordy.append(name)
        else:
            inputs.append(name)
    if counting and not inputs and all(is_numeric(table.columns[table.names.index(name)]) for name in counting):
        notes.append(f"{', '.join(counting)} may only count or name the rows, but there is nothing else to learn from")
        inputs, counting = counting, []
    if counting:
        notes.append(
            f"left out, since they only count or name the rows: {', '.join(counting)}; "
            f"--numbers {quote(counting[0])} keeps that one"
        )
    if wordy:
        notes.append(f"left out as text with too many different values: {', '.join(wordy)}")
    if not inputs:
        raise DataError(
            "this table has no column of numbers or categories to learn from",
            where=table.source,
            expected="columns that recur or measure",
            found=", ".join(table.names),
            remedy="choose some with --columns; forecasters read a table of dates and numbers as a series",
        )
    return inputs


def _chosen(table: Table, target: str | None, settings: DataSettings) -> list[str]:
    chosen = table.only(settings.columns).names
    if target in chosen:
        raise UsageError(
            "the target cannot be one of the columns it is predicted from",
            where="--columns",
            expected="columns that are known before the target is",
            found=str(target),
            remedy="leave it out of columns",
        )
    return [name for name in chosen if name not in (*settings.drop, settings.weights)]


def names_rows(name: str) -> bool:
    """Whether a column is called as one is that names rows: `id`, `customer_no`, `PassengerId`."""
    return name.lower() in ROW_NUMBER_NAMES or bool(NAMES_ROWS.fullmatch(name) or CAMEL_ID.fullmatch(name))


def only_counts(name: str, column: np.ndarray) -> bool:
    """Judge whether a column counts or names the rows, whatever it is called and in whatever order they stand.

    So do texts and whole numbers nearly all of which are different, and whole numbers in constant steps. Fractions
    measure.

    >>> only_counts("customer", np.random.default_rng(0).permutation(50) + 1000.0), only_counts("x", np.arange(50) / 4)
    (True, False)
    """
    called = names_rows(name)
    if not is_numeric(column):
        present = [cell for cell in column if cell is not None]
        return len(present) >= FEWEST_TEXTS and len(set(present)) >= DISTINCT * len(column)
    present = column[np.isfinite(column)]
    if len(column) < 3 or len(present) < DISTINCT * len(column) or (present != np.round(present)).any():
        return False
    values = np.unique(present)
    if len(values) < DISTINCT * len(column):
        return False
    if values[0] < 0 and not called:
        return False
    steps = np.diff(values)
    in_steps = len(values) == len(column) and bool((steps == steps[0]).all())
    return (in_steps and (called or len(column) >= FEWEST_IN_STEPS)) or called or len(column) >= FEWEST_ROWS


def _is_wordy(column: np.ndarray) -> bool:
    present = [cell for cell in column if cell is not None]
    distinct = len(set(present))
    return distinct > MOST_CATEGORIES or (len(present) >= FEWEST_TEXTS and distinct == len(present))
