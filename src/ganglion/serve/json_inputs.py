"""What is asked about, out of JSON: texts that mean themselves, and numbers that become arrays of the right form."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ganglion.data.formats.asked_rows import as_known
from ganglion.data.formats.tables.words import words_for_missing
from ganglion.errors import DataError, ShapeError
from ganglion.serve.media import NAMES
from ganglion.settings import unknown_name
from ganglion.tasks.base import Task
from ganglion.tasks.questions import Said

AXES = {"images": (2, 3), "films": (3, 4), "waveforms": (1, 2), "strokes": (2,)}
"""Axes that one sample may have."""


@final
@dataclass(frozen=True)
class Inputs:
    """What is asked about, and what is to be said of how it was read."""

    values: Sequence[Any]
    notes: tuple[str, ...] = ()


def read_inputs(value: Any, kind: str, task: Task, where: str) -> Inputs:
    """Return what JSON says that is asked about; raise `DataError` or `ShapeError` for anything else.

    Args:
        kind: of the field that the run is asked about.
        where: name of the field of the request.
    """
    if kind in (NAMES, "text", "texts", "tagged"):
        return Inputs(_texts(value, where))
    if kind == "panel":
        expected = "a file, --header 'Content-Type: text/csv'"
        raise DataError("several series are read from a table", where=where, expected=expected, found="JSON")
    if not isinstance(value, list) or not value:
        raise DataError("there is nothing to answer for", where=where, expected="a list", found=_shown(value))
    if kind in AXES:
        return Inputs([_sample(one, kind, f"{where}[{place}]") for place, one in enumerate(value)])
    preprocessing = task.preprocessing["inputs"]
    columns = tuple(getattr(preprocessing, "columns", ()) or getattr(preprocessing, "names", ()))
    categories = tuple(getattr(preprocessing, "categories", ()))
    rows = _in_order(value, columns, where)
    if any(categories):
        return _of_categories(rows, columns, categories, task, where)
    numbers = _numbers(rows, where)
    if kind == "series":
        return Inputs(list(_steps(numbers, len(preprocessing.means), where)))
    return Inputs(list(numbers))


def _texts(value: Any, where: str) -> list[Said]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise DataError("these are no texts", where=where, expected="a text, or a list of texts", found=_shown(value))
    return [Said(one) for one in texts]


def _sample(value: Any, kind: str, where: str) -> np.ndarray:
    numbers = _numbers(value, where)
    if numbers.ndim not in AXES[kind]:
        axes = " or ".join(map(str, AXES[kind]))
        raise ShapeError(
            f"this is not one of {kind}",
            where=where,
            expected=f"numbers in {axes} axes",
            found=f"shape {numbers.shape}",
        )
    return numbers


def _numbers(value: Any, where: str) -> np.ndarray:
    """Return nested lists of numbers as an array; None is a number that is missing."""
    try:
        array = np.asarray(value)
        if array.dtype == object and not any(isinstance(one, str | dict | list) for one in array.flat):
            array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        expected = "lists of as many numbers each"
        raise DataError(
            "these are no numbers in equal rows", where=where, expected=expected, found=str(error)
        ) from error
    if array.dtype.kind not in "biuf" or not array.size:
        raise DataError("these are no numbers", where=where, expected="lists of numbers", found=_shown(value))
    return array


def _in_order(value: list[Any], columns: Sequence[str], where: str) -> list[Any]:
    """Return rows as lists in the order of the columns; those that give their values by name are put into it."""
    if not any(isinstance(row, dict) for row in value):
        return value
    return [_ordered(row, columns, f"{where}[{place}]") for place, row in enumerate(value)]


def _ordered(row: Any, columns: Sequence[str], where: str) -> list[Any]:
    if not isinstance(row, dict) or not columns:
        expected = "values by the names of columns" if columns else "lists of numbers: the columns have no names"
        raise DataError("this row is not like the others", where=where, expected=expected, found=_shown(row))
    for name in row:
        if name not in columns:
            raise unknown_name("column", name, list(columns), where=where)
    absent = [name for name in columns if name not in row]
    if absent:
        raise DataError(
            "this row lacks columns that the network was trained on",
            where=where,
            expected=", ".join(columns),
            found=f"without {', '.join(absent)}",
            remedy="give all of them, null where a value is not known",
        )
    return [row[name] for name in columns]


def _of_categories(
    rows: list[Any], columns: Sequence[str], categories: Sequence[Sequence[str]], task: Task, where: str
) -> Inputs:
    """Return rows `(rows, columns)` of numbers and of texts as training spelt them."""
    table = np.empty((len(rows), len(categories)), dtype=object)
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(categories):
            expected = f"{len(categories)} values: {', '.join(columns)}"
            raise ShapeError(
                "this row has other columns", where=f"{where}[{place}]", expected=expected, found=_shown(row)
            )
        for column, (cell, known) in enumerate(zip(row, categories, strict=True)):
            table[place, column] = _cell(cell, bool(known), f"{where}[{place}] {columns[column]}")
    notes: list[str] = []
    for column, known in enumerate(categories):
        if known:
            missing = words_for_missing(task.settings)
            table[:, column], note = as_known(table[:, column], known, columns[column], missing)
            notes += [note] if note else []
    return Inputs(list(table), tuple(notes))


def _cell(cell: Any, is_text: bool, where: str) -> Any:
    if cell is None:
        return None if is_text else np.nan
    if is_text and isinstance(cell, str | int | float):
        return cell if isinstance(cell, str) else str(cell)
    if not is_text and isinstance(cell, int | float):
        return float(_numbers(cell, where))
    expected = "a text" if is_text else "a number"
    raise DataError("this cell has a value of the wrong kind", where=where, expected=expected, found=_shown(cell))


def _steps(numbers: np.ndarray, columns: int, where: str) -> np.ndarray:
    """Return a series (steps, columns)."""
    series = numbers[:, None] if numbers.ndim == 1 and columns == 1 else numbers
    if series.ndim != 2 or series.shape[1] != columns:
        expected = f"(steps, {columns}), the columns of the training data"
        raise ShapeError("this is no such series", where=where, expected=expected, found=f"shape {numbers.shape}")
    return series.astype(np.float64)


def _shown(value: Any) -> str:
    return f"{reprlib.repr(value)} ({type(value).__name__})"
