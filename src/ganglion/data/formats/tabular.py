"""Tables as data sets: one column is predicted, the others are what it is predicted from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.tables import Table, is_numeric, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError

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
ROW_NUMBER_NAMES = ("id", "no", "no.", "index", "row", "unnamed: 0", "column 1")
MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""
MOST_CATEGORIES = 50
"""Text with more distinct values than this is left out: names, sentences, identifiers."""


def read_tabular(path: Path, settings: DataSettings, test_path: Path | None = None) -> Dataset:
    """Read a table, and its published test part where there is one.

    A text column to predict, or one of few distinct whole numbers, makes classes; other numbers are a regression.
    Rows without a target are left out. Text columns stay text, for `TabularPreprocessing` to encode, and make the
    inputs an array of objects.
    """
    table = read_table(path)
    notes = list(table.notes)
    target, reason = _find_target(table, settings)
    notes.append(f"target column {target!r} ({reason})" if target else reason)
    inputs = _find_inputs(table, target, settings, notes)
    kept = _with_target(table, target, notes)
    rows = table.only(inputs).rows()[kept]
    labels: tuple[str, ...] = ()
    targets = test_inputs = test_targets = None
    if target:
        labels = _class_names(target, table[target][kept])
        targets = _encode(table[target][kept], labels, path)
        kind = f"{len(labels)} classes" if labels else "a quantity (regression)"
        notes.append(f"{target!r} is read as {kind}")
    if test_path is not None:
        test = read_table(test_path)
        there = _with_target(test, target, notes)
        test_inputs = test.only(inputs).rows()[there]
        test_targets = _encode(test[target][there], labels, test_path) if target else None
    return Dataset.of(
        name=path.stem,
        kind="tabular",
        inputs=rows,
        targets=targets,
        test_inputs=test_inputs,
        test_targets=test_targets,
        label_names=labels,
        column_names=tuple(inputs),
        target_names=(target,) if target else (),
        source=str(path),
        fingerprint=fingerprint(rows, targets, test_inputs, test_targets),
        notes=tuple(notes),
    )


def is_classes(values: np.ndarray) -> bool:
    """Judge whether a column holds classes: text, or few whole numbers that recur."""
    if not is_numeric(values):
        return True
    distinct = np.unique(values)
    return bool(np.all(distinct == np.round(distinct)) and len(distinct) <= min(MOST_CLASSES, max(2, len(values) // 2)))


def _find_target(table: Table, settings: DataSettings) -> tuple[str | None, str]:
    """Return the column to predict and how it was found."""
    if settings.target == NO_TARGET and NO_TARGET not in table.names:
        return None, "no target: all columns are inputs"
    if settings.target is not None:
        table[settings.target]
        return settings.target, "as asked"
    if len(table.names) == 1:
        return None, "no target: there is only one column"
    lower = [name.lower() for name in table.names]
    for known in TARGET_NAMES:
        if known in lower:
            return table.names[lower.index(known)], "by its name"
    return table.names[-1], "the last one"


def _find_inputs(table: Table, target: str | None, settings: DataSettings, notes: list[str]) -> list[str]:
    """Return the columns to predict from, and note what is left out."""
    if settings.columns:
        chosen = table.only(settings.columns).names
        if target in chosen:
            raise UsageError(
                "the target cannot be one of the columns it is predicted from",
                found=str(target),
                remedy="leave it out of columns",
            )
        return list(chosen)
    inputs, running, wordy = [], [], []
    for name, column in zip(table.names, table.columns, strict=True):
        if name == target:
            continue
        if name.lower() in ROW_NUMBER_NAMES and _counts_up(column):
            running.append(name)
        elif not is_numeric(column) and _is_wordy(column):
            wordy.append(name)
        else:
            inputs.append(name)
    if running:
        notes.append(f"left out as row numbers: {', '.join(running)}")
    if wordy:
        notes.append(f"left out as text with too many different values: {', '.join(wordy)}")
    if not inputs:
        raise DataError(
            "this table has no column of numbers or categories to learn from",
            where=table.source,
            found=", ".join(table.names),
            remedy="choose some with --columns; forecasters read a table of dates and numbers as a series",
        )
    return inputs


def _counts_up(column: np.ndarray) -> bool:
    return is_numeric(column) and len(column) > 2 and bool(np.all(np.diff(column) == 1))


def _is_wordy(column: np.ndarray) -> bool:
    present = [cell for cell in column if cell is not None]
    distinct = len(set(present))
    return distinct > MOST_CATEGORIES or (len(present) >= 10 and distinct == len(present))


def _with_target(table: Table, target: str | None, notes: list[str]) -> np.ndarray:
    """Return the places of the rows that have a target."""
    if target is None:
        return np.arange(len(table))
    column = table[target]
    missing = np.isnan(column) if is_numeric(column) else np.array([cell is None for cell in column])
    if missing.all():
        raise DataError(
            "the target column is empty",
            where=f"{table.source}, column {target}",
            remedy="choose another column with target",
        )
    if missing.any():
        notes.append(f"{int(missing.sum())} rows without a target left out")
    return np.flatnonzero(~missing)


def _class_names(target: str, values: np.ndarray) -> tuple[str, ...]:
    """Return the names of the classes in order, none for a regression."""
    if not is_classes(values):
        return ()
    if is_numeric(values):
        return tuple(str(int(value)) for value in np.unique(values))
    names = tuple(sorted(set(values)))
    if len(names) > max(MOST_CLASSES, len(values) // 2):
        raise DataError(
            f"the target column {target!r} is text that hardly recurs, so it is no class",
            found=f"{len(names)} different texts in {len(values)} rows, such as {names[0][:40]!r}",
            remedy="choose another one with --target",
        )
    return names


def _encode(values: np.ndarray, labels: Sequence[str], path: Path) -> np.ndarray:
    """Return class numbers, or float32 quantities."""
    if not labels:
        if not is_numeric(values):
            raise DataError(
                "the target is text here, but was numbers before",
                where=str(path),
                remedy="write the same kind of target into both files",
            )
        return values.astype(np.float32)
    numbers = {label: number for number, label in enumerate(labels)}
    texts = (
        [str(int(value)) if value == int(value) else str(value) for value in values] if is_numeric(values) else values
    )
    unknown = sorted({text for text in texts if text not in numbers})
    if unknown:
        raise DataError(
            "the test part has classes that the training part lacks",
            where=str(path),
            found=", ".join(unknown[:10]),
            remedy="put some of them into the training file, or leave those rows out",
        )
    return np.array([numbers[text] for text in texts], dtype=np.int64)
