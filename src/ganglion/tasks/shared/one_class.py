"""Data of which a network learns one kind alone: what is normal, apart from all that is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.data.splits import PARTS, Part, split, split_series
from ganglion.errors import DataError
from ganglion.settings import unknown_name
from ganglion.tasks.measures.series import fill_gaps

ODD, NAMES = "odd", ("normal", "odd")
"""Field that says whether a sample is odd, where that is known, and its classes. It is no target to learn."""
MARKS = ("odd", "anomaly", "anomalous", "outlier", "fault", "label", "class", "target")
"""Names of a column that says which steps of a series are odd."""
MOST_WINDOWS = 20_000
"""Windows of a long series that are learnt from at most."""


@dataclass(frozen=True)
class OneClass:
    """Normal samples to learn from; normal and odd ones, if any are known, to be judged by."""

    dataset: Dataset
    """With a part for validation and one for testing; where it is known, the field `ODD` says what each sample is."""
    settings: DataSettings
    """By which this is not divided again."""
    normal: tuple[str, ...] = ()
    """Classes that count as normal; none where the data has none."""
    columns: tuple[str, ...] = ()
    """Of the one long series that the samples are windows of."""
    odd_steps: Mapping[Part, np.ndarray] = field(default_factory=dict)
    """Which steps (steps,) of a part of that series are odd."""


def one_class(dataset: Dataset, normal: Sequence[str], window: int, settings: DataSettings, seed: int) -> OneClass:
    """Return the normal samples of a data set to learn from, and all that is known to be odd to be judged by.

    Odd samples of the training part are judged by, too, where the set was not published with a test part.

    Args:
        normal: classes that are normal; the commonest where none is named.
        window: steps of a window, for one long series.
    """
    if dataset.kind == "series":
        return _windows(dataset, window, settings)
    parts = split(dataset, settings, seed)
    published = bool(dataset.test_fields) and settings.fold is None
    train, validation, test = (parts[name].index for name in ("train", "validation", "test"))
    is_odd: dict[str, np.ndarray] = {}
    names: tuple[str, ...] = ()
    notes: list[str] = []
    if dataset.is_classification:
        targets = np.asarray(dataset.fields["targets"].values)
        names = _normal_classes(dataset, targets, normal)
        normal_numbers = [number for number, name in enumerate(_names(dataset)) if name in names]
        is_odd = {"fields": ~np.isin(targets, normal_numbers)}
        if published:
            is_odd["test_fields"] = ~np.isin(np.asarray(dataset.test_fields["targets"].values), normal_numbers)
        odd = train[is_odd["fields"][train]]
        train = train[~is_odd["fields"][train]]
        test = test if published else np.concatenate([test, odd])
        where = "" if published else ": they are judged by"
        others = [name for name in _names(dataset) if name not in names]
        notes.append(f"normal is {_listed(names)}, odd {_listed(others)}; no odd sample is learnt from{where}")
    elif normal:
        raise DataError(
            "this data has no classes, of which some could be normal",
            where=dataset.source or dataset.name,
            found=f"--normal {' '.join(normal)}",
            remedy="name the column of the classes with --target, or leave --normal out: everything is then normal",
        )
    else:
        notes.append("no class says what is odd: all samples are normal, and the score is that on made-up odd ones")
    if not len(train):
        raise DataError(
            "no normal sample is left to learn from",
            where=dataset.source or dataset.name,
            found=_listed(names),
            remedy="give more samples of what is normal, or smaller validation and test shares",
        )
    own = np.concatenate([train, validation])
    made = replace(
        dataset,
        fields=_taken(dataset, "fields", own, is_odd),
        test_fields=_taken(dataset, "test_fields" if published else "fields", test, is_odd),
        validation=np.arange(len(train), len(own)) if len(validation) else None,
        notes=(*dataset.notes, *notes),
    )
    return OneClass(made, _undivided(settings, len(validation)), names)


def _taken(dataset: Dataset, part: str, places: np.ndarray, is_odd: Mapping[str, np.ndarray]) -> dict[str, Field]:
    """Return the inputs of samples at some places of a part, and whether each is odd where that is known."""
    fields = {"inputs": getattr(dataset, part)["inputs"].take(places)}
    if is_odd:
        fields[ODD] = Field(kind="classes", values=is_odd[part][places].astype(np.int64), names=NAMES)
    return fields


def _names(dataset: Dataset) -> tuple[str, ...]:
    targets = dataset.fields["targets"]
    count = int(np.max(targets.values)) + 1
    return targets.names or tuple(str(number) for number in range(count))


def _normal_classes(dataset: Dataset, targets: np.ndarray, wanted: Sequence[str]) -> tuple[str, ...]:
    names = _names(dataset)
    for name in wanted:
        if name not in names:
            raise unknown_name("class", name, list(names), where="normal")
    chosen = tuple(wanted) or (names[int(np.bincount(targets).argmax())],)
    if len(set(chosen)) == len(names):
        raise DataError(
            "every class is normal, so that nothing is odd",
            where="normal",
            found=_listed(chosen),
            remedy="leave out those that shall be found",
        )
    return chosen


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _undivided(settings: DataSettings, validation: int) -> DataSettings:
    """Return settings by which data that has its parts is not divided again."""
    return replace(settings, folds=None, fold=None, validation=settings.validation if validation else 0.0)


def _windows(dataset: Dataset, window: int, settings: DataSettings) -> OneClass:
    """Return windows of one long series; a target of 0 and 1 says which steps are odd, and is not learnt from."""
    raw = np.asarray(dataset.main.values, dtype=np.float64)  # (time, columns)
    names = dataset.main.names or tuple(f"column {number + 1}" for number in range(raw.shape[1]))
    target = _column_of_marks(raw, names, settings, dataset.source)
    odd = np.zeros(len(raw), dtype=bool)
    note = "no column says which steps are odd: the score is that on made-up odd windows"
    if target is not None:
        place = names.index(target)
        odd, raw, names = raw[:, place] == 1, np.delete(raw, place, axis=1), names[:place] + names[place + 1 :]
        note = f"{int(odd.sum())} of {len(odd)} steps are odd by {target}; windows with them are not learnt from"
    rows: dict[Part, np.ndarray] = {part: one.index for part, one in split_series(dataset, settings).items()}
    _refuse_short(rows, window, dataset.source or dataset.name)
    series = fill_gaps(raw)
    train, validation, test = (
        _cut(series[rows[part]], odd[rows[part]], window, learns=part == "train") for part in PARTS
    )
    if not len(train[0]):
        raise DataError(
            "every window of the training part has an odd step",
            where=dataset.source or dataset.name,
            remedy="choose a smaller --window, or give a longer stretch in which nothing is odd",
        )
    together = (np.concatenate([a, b]) for a, b in zip(train, validation, strict=True))
    made = Dataset(
        name=dataset.name,
        fields=_of_windows(*together, known=target is not None),
        test_fields=_of_windows(*test, known=target is not None),
        source=dataset.source,
        fingerprint=dataset.fingerprint,
        first_fingerprint=dataset.first_fingerprint,
        validation=np.arange(len(train[0]), len(train[0]) + len(validation[0])) if len(validation[0]) else None,
        notes=(*dataset.notes, f"samples are windows of {window} steps", note),
        findings=dataset.findings,
    )
    normal = () if target is None else ("0",)
    odd_steps = {part: odd[places] for part, places in rows.items()}
    return OneClass(made, _undivided(settings, len(validation[0])), normal, names, odd_steps)


def _column_of_marks(raw: np.ndarray, names: tuple[str, ...], settings: DataSettings, where: str) -> str | None:
    """Return the column of 0 and 1 that says which steps are odd: the one asked for, or one that is called so."""
    if settings.target is None:
        return next((name for name in names if len(names) > 1 and _are_marks(name, raw[:, names.index(name)])), None)
    if settings.target not in names:
        raise unknown_name("column", settings.target, list(names), where=where)
    marks = raw[:, names.index(settings.target)]
    if not np.isin(marks, (0, 1)).all() or len(names) == 1:
        raise DataError(
            "the target must say of every step whether it is odd",
            where=settings.target,
            expected="0 for normal and 1 for odd, beside other columns",
            found=f"values from {np.nanmin(marks):g} to {np.nanmax(marks):g}",
            remedy="leave --target out: every step is then normal",
        )
    return settings.target


def _refuse_short(rows: Mapping[Part, np.ndarray], window: int, where: str) -> None:
    """Raise where a part has steps (steps,), and fewer than a window."""
    for part, places in rows.items():
        if len(places) < window and (len(places) or part != "validation"):
            raise DataError(
                f"the {part} part is shorter than a window",
                where=where,
                expected=f"at least {window} steps",
                found=f"{len(places)}",
                remedy="choose a smaller --window, or larger shares",
            )


def _cut(series: np.ndarray, odd: np.ndarray, window: int, *, learns: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows (windows, window, columns) of a stretch (steps, columns), and whether each has an odd step.

    Those to learn from have none, and are spread over the stretch where there are too many.
    """
    if len(series) < window:
        return np.zeros((0, window, series.shape[1])), np.zeros(0, dtype=np.int64)
    views = windows_of(series, window)
    has_odd = np.asarray(np.lib.stride_tricks.sliding_window_view(odd, window).any(axis=1))
    if learns:
        normal = np.flatnonzero(~has_odd)
        chosen = normal[:: max(1, len(normal) // MOST_WINDOWS)]
        views, has_odd = views[chosen], has_odd[chosen]
    return views, has_odd.astype(np.int64)


def windows_of(series: np.ndarray, window: int) -> np.ndarray:
    """Return every window (windows, window, columns) of a series (steps, columns), a view of it.

    >>> windows_of(np.arange(6).reshape(3, 2), 2).tolist()
    [[[0, 1], [2, 3]], [[2, 3], [4, 5]]]
    """
    return np.lib.stride_tricks.sliding_window_view(series, window, axis=0).transpose(0, 2, 1)


def _are_marks(name: str, values: np.ndarray) -> bool:
    """Whether a column says of every step if it is odd: by its name, and nothing but 0 and 1."""
    return name.lower().removeprefix("is_") in MARKS and bool(np.isin(values, (0, 1)).all())


def _of_windows(values: np.ndarray, marks: np.ndarray, *, known: bool) -> dict[str, Field]:
    fields = {"inputs": Field(kind="short-series", values=values)}
    return fields | ({ODD: Field(kind="classes", values=marks, names=NAMES)} if known else {})
