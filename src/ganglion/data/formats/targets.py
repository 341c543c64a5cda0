"""What is to be predicted, as classes or as quantities: one set of rules for tables, arrays in files and in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ganglion.data.formats.tables.table import few
from ganglion.errors import DataError

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""
FEWEST_OF_A_CLASS = 5
"""Times that each whole number must occur to be a class."""
MOST_CLASS_SHARE = 0.1
"""Distinct values among the whole numbers of pictures, in parts of their number, that still are classes."""
MOST_TEXT_CLASSES = 0.5
"""Different texts, in parts of their number, that still are classes."""

BETWEEN_LABELS = ("|", ";")
"""What stands between several labels in one cell."""

Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class Targets:
    """What is to be predicted, in the training part and, where there is one, in the test part."""

    values: np.ndarray
    """Class numbers `(samples,)` int64, quantities `(samples,)` or `(samples, outputs)` float64, or which labels hold
    `(samples, labels)` as truth values.
    """
    test_values: np.ndarray | None
    labels: tuple[str, ...]
    """What class 0, 1, ... are called; nothing for quantities."""
    note: str
    """How they were read, and how to have it otherwise."""


def read_targets(
    found: np.ndarray,
    test: np.ndarray | None = None,
    *,
    where: str,
    called: str = "the target",
    task: Task = "auto",
    pictures: bool = False,
) -> Targets:
    """Return targets as classes or quantities.

    Texts and truth values are classes, and so are whole numbers of at most 20 values, each at least 5 times, or of two
    values. One column of 0 and 1 for each class, with a single 1 in every row, is read as classes; where any number of
    them may be 1 they are labels; other columns are quantities, several at once.

    Args:
        found: `(samples,)`, `(samples, 1)` or `(samples, outputs)`.
        where: File and column, or what else an error should name.
        task: What the user asks for.
        pictures: They belong to pictures, which have many classes more often than quantities.

    Raises:
        DataError: They are neither, or not what was asked for.

    >>> read_targets(np.array([[0, 1], [1, 0], [0, 1]]), where="y").values.tolist()
    [1, 0, 1]
    """
    parts = [_flat(part, where) for part in (found, test) if part is not None]
    if parts[0].dtype == object:
        parts = [_texts(part, where) for part in parts]
    hot = all(is_one_hot(part) for part in parts) and task != "regression"
    if hot:
        parts = [part.argmax(axis=1) for part in parts]
    if not hot and task == "auto" and all(map(are_labels, parts)):
        return _labels(parts, called)
    numeric = parts[0].dtype.kind in "iuf"
    if any((part.dtype.kind in "iuf") != numeric for part in parts):
        raise DataError(
            "the targets are texts in one part and numbers in the other",
            where=where,
            expected="the same kind of target in both",
            found=", ".join(str(part.dtype) for part in parts),
            remedy="write the same kind of target into both",
        )
    if task == "regression" or (numeric and not hot and not _are_classes(parts[0], task, pictures, where)):
        return _quantities(parts, where, called, task)
    return _classes(parts, where, called, hot)


def _flat(part: np.ndarray, where: str) -> np.ndarray:
    """Return targets without a second axis of one column, truth values and texts as they are."""
    if part.ndim == 2 and part.shape[1] == 1:
        part = part[:, 0]
    if part.ndim not in (1, 2) or part.dtype.kind not in "iufbUSO" or (part.ndim == 2 and part.dtype.kind in "USO"):
        raise DataError(
            "these are no targets",
            where=where,
            expected="class names or numbers (samples,), or numbers (samples, outputs)",
            found=f"{part.dtype} of shape {part.shape}",
            remedy="give one class or number for every sample, or a row of numbers",
        )
    return part


def _texts(part: np.ndarray, where: str) -> np.ndarray:
    """Return objects as texts, or as numbers where all of them are. Raises `DataError` where one is missing."""
    gaps = [place for place, value in enumerate(part) if value is None or value != value]
    if gaps:
        raise _gaps(gaps, where)
    kinds = set(map(type, part))
    if all(issubclass(kind, bool | int | float | np.number | np.bool_) for kind in kinds):
        return np.array(part.tolist())
    return part if kinds == {str} else np.array([str(value) for value in part], dtype=object)


def _gaps(places: Sequence[int] | np.ndarray, where: str) -> DataError:
    return DataError(
        f"{len(places)} samples have no target",
        where=where,
        expected="a target for every sample",
        found="none at " + ", ".join(str(int(place)) for place in places[:3]) + (", ..." if len(places) > 3 else ""),
        remedy="leave these samples out, or complete them",
    )


def is_one_hot(part: np.ndarray) -> bool:
    """Whether targets `(samples, classes)` are one column of 0 and 1 for each class, with a single 1 in every row.

    >>> is_one_hot(np.eye(3)), is_one_hot(np.ones((2, 2))), is_one_hot(np.arange(3))
    (True, False, False)
    """
    if part.ndim != 2 or part.dtype.kind not in "iufb" or part.shape[1] < 2:
        return False
    return bool(np.isin(part, (0, 1)).all() and (part.sum(axis=1) == 1).all())


def are_labels(part: np.ndarray) -> bool:
    """Whether targets `(samples, labels)` are columns of 0 and 1, any number of which may be 1 in a row.

    >>> are_labels(np.array([[0, 1], [1, 1]])), are_labels(np.array([[0, 2], [1, 1]])), are_labels(np.arange(3))
    (True, False, False)
    """
    if part.ndim != 2 or part.dtype.kind not in "iufb" or part.shape[1] < 2:
        return False
    return bool(np.isin(part, (0, 1)).all())


def _labels(parts: list[np.ndarray], called: str) -> Targets:
    values = [part.astype(bool) for part in parts]
    said = f"{called} is read as {values[0].shape[1]} labels, of which any number may hold"
    return Targets(
        values[0], values[1] if len(values) > 1 else None, (), f"{said}; --task regression makes them quantities"
    )


def _are_classes(values: np.ndarray, task: Task, pictures: bool, where: str) -> bool:
    """Judge whether numbers are classes. Raises `DataError` where they are asked to be and cannot."""
    if values.ndim == 2:
        if task == "classification":
            raise DataError(
                "several numbers for every sample are no classes",
                where=where,
                expected="one class for every sample, or a single 1 among zeros",
                found=f"shape {values.shape}",
                remedy="leave --task out, or give one class for every sample",
            )
        return False
    return task == "classification" or are_classes(values, pictures)


def are_classes(values: np.ndarray, pictures: bool = False) -> bool:
    """Judge whether numbers `(samples,)` are classes: whole ones, few, each of which recurs.

    >>> are_classes(np.arange(100) % 4), are_classes(np.arange(100) % 30), are_classes(np.array([0.5, 1.0]))
    (True, False, False)
    """
    distinct, counts = np.unique(values, return_counts=True)
    if not np.isfinite(distinct).all() or (distinct != np.round(distinct)).any():
        return False
    if pictures and len(distinct) <= max(MOST_CLASSES, MOST_CLASS_SHARE * len(values)):
        return True
    return len(distinct) <= 2 or (len(distinct) <= MOST_CLASSES and bool(counts.min() >= FEWEST_OF_A_CLASS))


def _quantities(parts: list[np.ndarray], where: str, called: str, task: Task) -> Targets:
    if parts[0].dtype.kind not in "iufb":
        raise DataError(
            "texts are no quantities",
            where=where,
            expected="numbers",
            found=few(_distinct(parts[0])),
            remedy="leave --task out, or name another column with --target",
        )
    values = [part.astype(np.float64) for part in parts]
    if values[0].ndim == 2:
        said = f"{called} is read as {values[0].shape[1]} quantities (regression)"
    else:
        distinct = np.unique(values[0][np.isfinite(values[0])])
        whole = len(distinct) <= 10 * MOST_CLASSES and bool((distinct == np.round(distinct)).all())
        said = f"{called} is read as a quantity (regression)"
        if whole and task == "auto":
            said += (
                f": whole numbers of {len(distinct)} values, which would be classes if there were at most "
                f"{MOST_CLASSES}, each at least {FEWEST_OF_A_CLASS} times; --task classification makes them classes"
            )
    return Targets(values[0], values[1] if len(values) > 1 else None, (), said)


def _classes(parts: list[np.ndarray], where: str, called: str, hot: bool) -> Targets:
    names = list(range(int(parts[0].max()) + 1)) if hot else _distinct(parts[0])
    labels = tuple(map(_label, names))
    if parts[0].dtype.kind == "f" and not np.isfinite(parts[0]).all():
        raise _gaps(np.flatnonzero(~np.isfinite(parts[0])), where)
    if parts[0].dtype.kind in "USO" and len(labels) > max(MOST_CLASSES, MOST_TEXT_CLASSES * len(parts[0])):
        raise DataError(
            f"{called} is text that hardly recurs, so it is no class",
            where=where,
            expected="texts that occur again and again",
            found=f"{len(labels)} different texts in {len(parts[0])} rows, such as {labels[0][:40]!r}",
            remedy="choose another one with --target",
        )
    unknown = sorted({_label(value) for part in parts[1:] for value in set(_distinct(part)).difference(names)})
    if unknown:
        raise DataError(
            "the test part has classes that the training part lacks",
            where=where,
            expected=", ".join(labels[:10]),
            found=", ".join(unknown[:10]),
            remedy="put some of them into the training part, or leave those samples out",
        )
    places = {name: number for number, name in enumerate(names)}
    numbers = [np.fromiter(map(places.__getitem__, part.tolist()), np.int64, count=len(part)) for part in parts]
    shape = ", from one column for each" if hot else ""
    said = f"{called} is read as {len(labels)} classes{shape}"
    if parts[0].dtype.kind in "iuf" and not hot:
        said += "; --task regression makes it a quantity"
    return Targets(numbers[0], numbers[1] if len(numbers) > 1 else None, labels, said)


def _distinct(part: np.ndarray) -> list[Any]:
    """Return the different targets of `(samples,)` in order."""
    return sorted(set(part.tolist())) if part.dtype == object else np.unique(part).tolist()


def _label(value: object) -> str:
    """Return what a class is called: whole numbers without a fraction, bytes as text."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
