"""What is wrong with data, found before it is trained on."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ganglion.data.card import typed
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.field_findings import field_findings, overlap
from ganglion.data.formats.folder_layout import walk
from ganglion.data.formats.images.files import decode, in_threads
from ganglion.data.formats.images.folders import ImageFiles, attempt
from ganglion.data.in_groups import InGroups
from ganglion.data.leaks import known_leaks, leak_findings, series_leaks, text_leaks
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.settings import DataSettings
from ganglion.data.splits import divides_rows, sample_keys
from ganglion.errors import DataError
from ganglion.findings import Finding, worst_first

FEWEST_SAMPLES = 20
FEWEST_OF_A_CLASS = 3
"""One for each part."""
LARGEST_IMBALANCE = 10
"""Times that the largest class may have the samples of the smallest."""
MOST_MISSING = 0.5
FEWEST_STAND_INS = 2
"""Times that a number occurs which may stand for missing ones."""
LARGEST = float(np.finfo(np.float32).max)
"""Of the numbers that a network computes with."""
EXAMPLES = 5
MOST_CHECKED = 100_000
"""Samples that are looked at of those that stay on disk."""
REPEATING: tuple[Kind, ...] = ("series", "panel", "text", "tagged")
"""Kinds of data in which what occurs again is no mistake."""

_stop, _warn = partial(Finding, level="stop"), partial(Finding, level="warn")


def check(dataset: Dataset, seed: int = 0) -> list[Finding]:
    """Look for what makes a result doubtful: classes, repeated samples, overlap of parts, columns that say nothing.

    Samples are told apart by the numbers that `seed` gives them, which the division into parts needs again.

    >>> rows = np.zeros((30, 1), dtype=np.float32)
    >>> [finding.message for finding in check(Dataset.of(name="zeros", kind="tabular", inputs=rows))]
    ['all 30 samples are the same']
    """
    dataset = dataset.in_memory(MOST_CHECKED)
    findings = [*dataset.findings, *_count(dataset), *_classes(dataset), *_targets(dataset), *field_findings(dataset)]
    if dataset.kind in ("tabular", "series"):
        findings += _columns(dataset)
        columns = dict(zip(_names(dataset), map(typed, np.asarray(dataset.inputs).T), strict=True))
        if dataset.kind == "series":
            findings += series_leaks(columns)
        elif dataset.targets is not None:
            findings += leak_findings(columns, dataset.targets)
    if dataset.kind == "panel" and "known" in dataset.fields:
        findings += known_leaks(*_longest(dataset))
    if dataset.kind == "documents" and dataset.targets is not None:
        findings += text_leaks(list(dataset.inputs), dataset.targets)
    if dataset.kind not in REPEATING and len(dataset):
        findings += _repetitions(dataset, seed)
    return worst_first(findings)


def _longest(dataset: Dataset) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the columns of the longest series of a panel, and those known in advance, over the same rows."""
    values, known = dataset.fields["inputs"], dataset.fields["known"]
    place = max(range(len(values)), key=lambda number: len(values[number]))
    rows = len(values[place])
    columns = dict(zip(values.names, values[place].T, strict=False))
    return columns, dict(zip(known.names, known[place][:rows].T, strict=True))


def check_path(source: str | Path, settings: DataSettings | None = None, kind: Kind | None = None) -> list[Finding]:
    """Check data by name or path, decoding every image file of a folder.

    What cannot be read is a finding, too. Raises `UsageError` where `source` names nothing.
    """
    dataset, refused = _read(source, settings or DataSettings(), kind)
    if dataset is None:
        return refused
    kept_in_files = [one.values for one in dataset.fields.values() if isinstance(one.values, ImageFiles)]
    in_archives = [path for values in kept_in_files if values.groups is not None for path in values.paths]
    damaged = _damaged(in_archives or walk(Path(source).expanduser())[0]) if kept_in_files else []
    damaged += _damaged_groups(dataset)
    return refused + damaged + other_kind(dataset, kind) + check(dataset)


def _read(source: str | Path, settings: DataSettings, kind: Kind | None) -> tuple[Dataset | None, list[Finding]]:
    """Return data with whatever can be read of it, and what training would refuse; None where nothing can be read."""
    tolerant = replace(settings, allow_problems=True, stream="yes")
    try:
        return read(source, replace(settings, stream="yes"), kind), []
    except DataError as error:
        where = tuple(text for text in (error.where, error.found) if text)
        refused = [_stop(name="unreadable", message=error.what, where=where, remedy=error.remedy)]
    try:
        return read(source, tolerant, kind), refused if "--allow-problems" in refused[0].remedy else []
    except DataError:
        return None, refused


def other_kind(dataset: Dataset, wanted: Kind | None) -> list[Finding]:
    """Return the finding that data is of another kind than it was to be read as."""
    if wanted in (None, dataset.kind) or (wanted, dataset.kind) == ("series", "panel"):  # of which one may be a series
        return []
    message = f"this is no data of the kind {wanted}: it can be read as {dataset.kind}"
    return [_stop(name="other-kind", message=message, remedy="leave --as out, or look at other data")]


def _damaged(files: Sequence[Path]) -> list[Finding]:
    """Find image files that cannot be decoded."""
    results = zip(files, in_threads(partial(attempt, partial(decode, raw=True)), files), strict=True)
    damaged = [f"{path} ({result.found or result.what})" for path, result in results if isinstance(result, DataError)]
    if not damaged:
        return []
    message = f"images that cannot be read: {len(damaged)}"
    remedy = "save these files again, or remove them"
    return [_stop(name="damaged-images", message=message, value=len(damaged), where=_few(damaged), remedy=remedy)]


def _damaged_groups(dataset: Dataset) -> list[Finding]:
    """Read samples that stay on disk to the end, so that damage is found before it ends a training."""
    if not isinstance(dataset.main.values, InGroups):
        return []
    chosen = dataset.main.values.chosen
    for group in range(len(chosen.counts)):
        try:
            for _ in chosen.chunks(group, list(dataset.fields)):
                pass
        except DataError as error:
            where = tuple(filter(None, (error.where, error.found)))
            return [_stop(name="damaged-shard", message=error.what, where=where, remedy=error.remedy)]
    return []


def _count(dataset: Dataset) -> Iterator[Finding]:
    if len(dataset) < 2 and dataset.kind not in ("text", "films", "panel"):  # a text is one, and the others can be cut
        message = f"there are too few samples: {len(dataset)}"
        yield _stop(name="too-few-samples", message=message, measure="samples", value=len(dataset), threshold=2)
    elif len(dataset) < FEWEST_SAMPLES and dataset.kind not in ("text", "panel"):
        message = f"there are only {len(dataset)} samples"
        yield _warn(
            name="few-samples", message=message, measure="samples", value=len(dataset), threshold=FEWEST_SAMPLES
        )


def _classes(dataset: Dataset) -> Iterator[Finding]:
    """Look at how many samples each class has."""
    if not dataset.is_classification or dataset.targets is None or not len(dataset.targets):
        return
    labels, counts = np.unique(dataset.targets, return_counts=True)
    names = [dataset.label_names[label] if dataset.label_names else str(label) for label in labels]
    said = tuple(
        f"{name}: {count}" for name, count in sorted(zip(names, counts, strict=True), key=lambda pair: pair[1])
    )
    if len(labels) == 1:
        message = f"all samples are of one class, {names[0]!r}"
        yield _stop(name="one-class", message=message, remedy="name another column with --target, or add samples")
        return
    absent = sorted(set(dataset.label_names) - set(names))
    if absent:
        message = f"classes without a sample: {len(absent)}"
        yield _warn(name="empty-classes", message=message, value=len(absent), where=_few(absent))
    alike = [group for group in _groups(names) if len(group) > 1]
    if alike:
        message, remedy = f"classes that differ only in capitals or spaces: {len(alike)}", "spell each class in one way"
        where = _few([" = ".join(map(repr, group)) for group in alike])
        yield _warn(name="like-classes", message=message, value=len(alike), where=where, remedy=remedy)
    rare = int((counts < FEWEST_OF_A_CLASS).sum())
    if rare:
        message = f"classes of fewer than {FEWEST_OF_A_CLASS} samples: {rare}"
        yield _warn(name="rare-classes", message=message, value=rare, where=_few(said[:rare]))
    imbalance = counts.max() / counts.min()
    if imbalance > LARGEST_IMBALANCE:
        yield _warn(
            name="imbalance",
            message=f"the largest class has {imbalance:.0f} times the samples of the smallest",
            measure="largest class / smallest class",
            value=float(imbalance),
            threshold=LARGEST_IMBALANCE,
            where=(said[0], said[-1]),
            remedy="--class-weight balanced makes all classes count alike",
        )


def _groups(names: Sequence[str]) -> list[list[str]]:
    """Return the names that are the same but for capitals and spaces together."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    return list(groups.values())


def _targets(dataset: Dataset) -> Iterator[Finding]:
    """Look at quantities that are to be predicted."""
    targets = dataset.targets
    if targets is None or dataset.is_classification or not len(targets):
        return
    broken = int((~np.isfinite(targets)).sum())
    if broken:
        message = f"targets that are missing or infinite: {broken}"
        yield _stop(name="missing-targets", message=message, value=broken, remedy="remove or complete these rows")
    elif (targets == targets[0]).all():
        yield _stop(name="constant-target", message="all targets are the same")


def _rows(dataset: Dataset) -> np.ndarray | MixedRows:
    return dataset.inputs if isinstance(dataset.inputs, MixedRows) else np.asarray(dataset.inputs)


def _names(dataset: Dataset) -> tuple[str, ...]:
    """Return what the columns of rows or of a series are called."""
    width = _rows(dataset).shape[1]
    return dataset.column_names or tuple(f"column {number + 1}" for number in range(width))


def _columns(dataset: Dataset) -> Iterator[Finding]:
    """Look for columns that say nothing, or that say the target."""
    rows = _rows(dataset)
    names = _names(dataset)
    constant, copies, infinite, gappy = [], [], [], {}
    for name, column in zip(names, rows.T, strict=True):
        missing = (
            np.array([cell is None or cell != cell for cell in column]) if column.dtype == object else np.isnan(column)
        )
        present = column[~missing]
        if missing.mean() > MOST_MISSING:
            gappy[name] = missing.mean()
        elif len(present) and (present == present[0]).all():
            constant.append(name)
        if column.dtype != object and (np.abs(column) > LARGEST).any():
            infinite.append(name)
        if dataset.targets is not None and column.dtype != object and np.array_equal(column, dataset.targets):
            copies.append(name)
    stand_ins = {name: value for name, column in zip(names, rows.T, strict=True) if (value := stand_in(column))}
    if stand_ins:
        message = f"columns in which a number seems to stand for a missing one: {len(stand_ins)}"
        remedy = f"--missing {next(iter(stand_ins.values())):g} reads it so"
        where = _few([f"{name}: {value:g}" for name, value in stand_ins.items()])
        yield _warn(name="stand-ins", message=message, value=len(stand_ins), where=where, remedy=remedy)
    if infinite:
        message = f"columns with values that are infinite or as good as that: {len(infinite)}"
        yield _stop(name="infinite-columns", message=message, value=len(infinite), where=_few(infinite))
    if names and len(gappy) + len(constant) == len(names) and dataset.kind == "tabular" and gappy:
        yield _stop(name="no-column", message="no column says anything: each is missing in most rows, or constant")
    elif gappy:
        message = f"columns that are missing in most rows: {len(gappy)}"
        where = _few([f"{name} ({share:.0%})" for name, share in gappy.items()])
        yield _warn(name="missing-columns", message=message, value=len(gappy), where=where)
    if constant and len(constant) < len(names):
        message = f"columns that never change: {len(constant)}"
        yield _warn(name="constant-columns", message=message, value=len(constant), where=_few(constant))
    elif constant and dataset.kind == "series":
        yield _stop(name="constant-series", message="the series never changes")
    if copies:
        message, remedy = "a column is a copy of the target", "remove it: whatever learns will look at nothing else"
        yield _warn(name="copied-target", message=message, where=tuple(copies), remedy=remedy)


def stand_in(column: np.ndarray) -> float | None:
    """Return the number among those of a column `(rows,)` that stands for a missing one: -99, 999, -9999, far off.

    >>> stand_in(np.array([1.5, -999.0, 3.0, -999.0, 12.0])), stand_in(np.array([97.0, 98.0, 99.0, 99.0]))
    (-999.0, None)
    """
    present = column[np.isfinite(column)] if column.dtype != object else np.empty(0)
    for value in np.unique(present)[[0, -1]] if len(present) else ():
        others = present[present != value]
        if not re.fullmatch(r"-?9{2,7}", f"{value:.0f}") or value % 1 or len(others) < 2:
            continue
        far = np.abs(others - value).min() > 2 * max(np.ptp(others), np.abs(others).max())
        if far and len(present) - len(others) >= FEWEST_STAND_INS:
            return float(value)
    return None


def _repetitions(dataset: Dataset, seed: int) -> Iterator[Finding]:
    """Look for samples that occur again, with other targets, or in the test part."""
    keys = sample_keys(dataset, seed)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == 1 and len(keys) > 1:
        yield _stop(name="one-sample", message=f"all {len(keys)} samples are the same")
        return
    original = first[inverse]
    again = np.flatnonzero(original != np.arange(len(keys)))
    if len(again):
        message = f"samples that repeat another one: {len(again)}"
        if divides_rows(dataset, keys):
            message += f"; only {len(first)} are different, so the parts are divided row by row and share them"
        where = _pairs(dataset.inputs, dataset.inputs, again, original[again])
        yield _warn(name="repeated-samples", message=message, value=len(again), where=where)
    if dataset.targets is not None and len(again) and len(dataset.targets) == len(keys):
        differ = dataset.targets[again] != dataset.targets[original[again]]
        other = again[differ.reshape(len(again), -1).any(axis=1)]
        if len(other):
            message = f"samples that repeat another one with another target: {len(other)}"
            where = _pairs(dataset.inputs, dataset.inputs, other, original[other])
            yield _warn(name="contradictions", message=message, value=len(other), where=where)
    if dataset.test_inputs is not None:
        test_keys = sample_keys(replace(dataset, fields=dataset.test_fields, test_fields={}), seed)
        yield from _overlap(dataset, keys, test_keys)


def _overlap(dataset: Dataset, keys: np.ndarray, test_keys: np.ndarray) -> Iterator[Finding]:
    assert dataset.test_inputs is not None
    shared = np.flatnonzero(np.isin(test_keys, keys))
    if len(shared):
        places = {key: place for place, key in reversed(list(enumerate(keys.tolist())))}
        twins = np.array([places[key] for key in test_keys[shared].tolist()])
        share = len(shared) / len(test_keys)
        yield from overlap(
            share,
            f"test samples that are also training samples: {len(shared)} ({share:.1%})",
            "remove them from one of the parts: on them a network is asked what it was told",
            _pairs(dataset.test_inputs, dataset.inputs, shared, twins),
        )


def _pairs(
    left: np.ndarray | Sequence, right: np.ndarray | Sequence, left_places: np.ndarray, right_places: np.ndarray
) -> tuple[str, ...]:
    pairs = zip(left_places[:EXAMPLES], right_places[:EXAMPLES], strict=True)
    return tuple(f"{_name(left, a)} = {_name(right, b)}" for a, b in pairs)


def _name(inputs: np.ndarray | Sequence, place: int) -> str:
    return str(inputs.paths[place]) if isinstance(inputs, ImageFiles) else f"sample {place}"


def _few(examples: Sequence[str]) -> tuple[str, ...]:
    return tuple(examples[:EXAMPLES])
