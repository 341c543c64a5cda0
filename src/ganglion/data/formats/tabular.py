"""Tables as data sets: one column is predicted, the others are what it is predicted from."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint, single, table_fingerprint
from ganglion.data.formats.roles import find_inputs, find_target
from ganglion.data.formats.tables import Table, is_numeric, missing_in, read_table
from ganglion.data.formats.tables.columns import ColumnType
from ganglion.data.formats.tables.words import named_for_missing
from ganglion.data.formats.targets import BETWEEN_LABELS, Targets, read_targets
from ganglion.data.formats.weights import weights_in
from ganglion.data.leaks import leak_findings
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.findings import Finding

TOTALS = frozenset(
    [
        *("total", "totals", "sum", "grand total", "all", "gesamt", "summe", "totaal", "totale", "somme", "suma"),
        *("итого", "всего", "合计", "总计", "合計"),
    ]
)
"""What the last row of a report is called."""
FEWEST_TOGETHER = 0.02
"""Share of the cells that hold several labels, at least, for them to be some."""


def read_tabular(
    path: Path,
    settings: DataSettings,
    test_path: Path | None = None,
    *,
    tables: Mapping[str, Table] | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Read a table, and its published test part where there is one.

    Which column is predicted, and whether it holds classes or a quantity, is found out where it is not asked for. A
    test part without it is that of a competition: it is left alone. Text columns stay text, for
    `TabularPreprocessing` to encode, and make the inputs an array of objects.

    Args:
        tables: the training part, and maybe parts for validation and testing, that were read already.
        notes: what is to be said about that.
    """
    validation = None
    if tables is None:
        table = read_table(path, settings)
        test = None if test_path is None else read_table(test_path, settings, types_of(table))
    else:
        table, test, validation = _with_validation(tables, settings)
    notes = [*notes, *table.notes]
    several = several_targets(table, settings)
    if several:  # the first stands for all, which nothing is predicted from
        settings = dataclasses.replace(settings, target=several[0], drop=(*settings.drop, *several[1:]))
    settings, test = _without_answers(table, test, settings, notes)
    target, reason = find_target(table, settings)
    called = ", ".join(map(repr, several or [target]))
    notes.append(f"target column{'s' * bool(several)} {called} ({reason})" if target else reason)
    inputs = find_inputs(table, target, settings, notes)
    findings: list[Finding] = []
    kept = _with_target(table, target, settings, findings)
    findings += _total(table)
    rows = _taken(table.only(inputs).rows(), kept)
    weights = None if settings.weights is None else weights_in(table[settings.weights], settings.weights, path)[kept]
    test_rows = test_kept = None
    if test is not None:
        test_kept = _with_target(test, target, settings, findings)
        test_rows = _taken(test.only(inputs).rows(), test_kept)
    targets = None
    labels: Labels | None = None
    if target:
        labels = None if several else labels_in(table[target], settings.task)
        found = answers_in(table, several or (target,), labels)
        test_found = None
        if test is not None and test_kept is not None:
            test_found = answers_in(test, several or (target,), labels)[test_kept]
        where = f"{path}, column {called}"
        targets = read_targets(_taken(found, kept), test_found, where=where, called=called, task=settings.task)
        notes.append(targets.note)
        findings += leak_findings({}, targets.values, order=True)
    return Dataset.of(
        name=path.stem,
        kind="tabular",
        inputs=rows,
        targets=None if targets is None else targets.values,
        test_inputs=test_rows,
        test_targets=None if targets is None else targets.test_values,
        label_names=() if targets is None else targets.labels,
        column_names=tuple(inputs),
        target_names=labels.names if labels else several or ((target,) if target else ()),
        weights=weights,
        validation=None if validation is None else np.flatnonzero(np.isin(kept, validation)),
        source=str(path),
        **_fingerprints(rows, targets, test_rows, weights),
        notes=tuple(notes),
        findings=tuple(findings),
    )


def _with_validation(
    tables: Mapping[str, Table], settings: DataSettings
) -> tuple[Table, Table | None, np.ndarray | None]:
    """Return the training part with that for validation below it, the test part, and the rows for validation."""
    table, test, more = tables["train"], tables.get("test"), tables.get("validation")
    if not len(table.columns) or not len(table):
        raise DataError("this table has no rows", where=table.source, expected="rows", found="none")
    if more is None:
        return table, test, None
    both = table.only(table.names), more.only(table.names)
    columns = tuple(np.concatenate(pair) for pair in zip(*(one.columns for one in both), strict=True))
    rows = np.arange(len(table), len(table) + len(more)) if settings.validation else None
    return dataclasses.replace(table, columns=columns), test, rows


def several_targets(table: Table, settings: DataSettings) -> tuple[str, ...]:
    """Return the columns that are predicted together, where the user names several with commas between them."""
    if settings.target is None or settings.target in table.names:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in settings.target.split(",")))
    if len(names) > 1:
        for name in names:
            table[name]
    return names if len(names) > 1 else ()


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels of which several share a cell."""

    sign: str
    """What stands between them."""
    names: tuple[str, ...]


def labels_in(column: np.ndarray, task: str) -> Labels | None:
    """Return the labels of a column (rows,) whose cells hold several, such as `comedy|drama`; None where none do.

    They are labels where each of them stands in other cells, too.
    """
    if is_numeric(column) or task != "auto":
        return None
    cells = Counter(column.tolist())
    for sign in BETWEEN_LABELS:
        if sum(count for cell, count in cells.items() if sign in str(cell)) < FEWEST_TOGETHER * len(column):
            continue
        counts: Counter[str] = Counter()
        for cell, count in cells.items():
            for part in _parts(cell, sign):
                counts[part] += count
        if "" not in counts and min(counts.values()) > 1:
            return Labels(sign, tuple(sorted(counts)))
    return None


def answers_in(table: Table, names: tuple[str, ...], labels: Labels | None) -> np.ndarray:
    """Return what is to be predicted, (rows,) or (rows, outputs).

    Args:
        names: columns that hold it.
        labels: those that share the cells of a single column in the training part.
    """
    if len(names) > 1:
        return np.stack([truth_in(table[name]) for name in names], axis=1)
    if labels is None:
        return table[names[0]]
    return held_in(table[names[0]], labels, f"{table.source}, column {names[0]!r}")


def held_in(column: np.ndarray, labels: Labels, where: str) -> np.ndarray:
    """Return which labels each cell of a column (rows,) holds, `(rows, labels)`.

    Raises `DataError` for one that the training part, which the labels are from, does not have.
    """
    cells = _parted(column, labels.sign)
    if unknown := sorted({part for parts in cells for part in parts} - set(labels.names)):
        raise DataError(
            "the test part has labels that the training part lacks",
            where=where,
            expected=", ".join(labels.names[:10]),
            found=", ".join(unknown[:10]),
            remedy="put some of them into the training part, or leave those rows out",
        )
    return np.array([[name in parts for name in labels.names] for parts in cells])


def _parted(column: np.ndarray, sign: str) -> list[tuple[str, ...]]:
    """Return the texts between the signs of each cell of a column (rows,), nothing for one that is missing."""
    return [_parts(cell, sign) for cell in column]


def _parts(cell: object, sign: str) -> tuple[str, ...]:
    return () if cell is None else tuple(part.strip() for part in str(cell).split(sign))


def truth_in(column: np.ndarray) -> np.ndarray:
    """Return a column (rows,) as truth values where it says True or False, else as it is."""
    said = set() if is_numeric(column) else set(column.tolist())
    return np.array([cell == "True" for cell in column]) if said and said <= {"True", "False"} else column


def types_of(table: Table) -> dict[str, ColumnType]:
    """Return what each column of a table was read as, so that another file is read likewise.

    Columns of numbers of which all are missing may be anything elsewhere.
    """
    return {
        name: "number" if is_numeric(column) else "text"
        for name, column in zip(table.names, table.columns, strict=True)
        if not missing_in(column).all()
    }


def _without_answers(
    table: Table, test: Table | None, settings: DataSettings, notes: list[str]
) -> tuple[DataSettings, Table | None]:
    """Return the settings with the target that a competition's test part lacks, and the test part if it has answers."""
    if test is None or settings.target == "none":
        return settings, test
    lacking = [name for name in table.names if name not in (*test.names, settings.weights)]
    target = settings.target or (lacking[0] if len(lacking) == 1 else None)
    if target is None and lacking:
        raise DataError(
            "the test part lacks columns of the training part",
            where=test.source,
            expected="all columns, or all but the one to predict",
            found=f"without {', '.join(lacking[:10])}",
            remedy=f"say which of them is predicted with --target {quote(lacking[-1])}",
        )
    if target is None or target in test.names:
        return settings, test
    notes.append(
        f"{test.source} has no {target!r}: it is no test part but a question, for `ganglion predict RUN {test.source}`"
    )
    return dataclasses.replace(settings, target=target), None


def _with_target(table: Table, target: str | None, settings: DataSettings, findings: list[Finding]) -> np.ndarray:
    """Return the places of the rows that have a target; that others are left out is a finding."""
    if target is None:
        return np.arange(len(table))
    missing = missing_in(table[target])
    named = named_for_missing(settings)  # words that usually mean nothing are labels like others here
    if named and not is_numeric(table[target]):
        missing |= np.array([str(cell).lower() in named for cell in table[target]])
    if missing.all():
        raise DataError(
            "the target column is empty",
            where=f"{table.source}, column {target}",
            expected="a class or a number in each row",
            found="nothing",
            remedy="choose another column with --target",
        )
    if missing.any():
        places = np.flatnonzero(missing)
        findings.append(table.left_out(places, "rows-without-target", f"a target in column {target!r}"))
    return np.flatnonzero(~missing)


def _total(table: Table) -> list[Finding]:
    """Return a finding where the last row is called a total and sums up a column, as that of a report does."""
    columns = [column for name, column in zip(table.names, table.columns, strict=True) if name not in table.doubts]
    last = [column[-1] for column in columns if not is_numeric(column)]
    called = next((str(cell) for cell in last if str(cell).strip(" :").lower() in TOTALS), None)
    if called is None:
        return []
    numbers = [column for column in columns if is_numeric(column) and np.isfinite(column).all() and len(column) > 2]
    if not any(np.isclose(column[:-1].sum(), column[-1]) and column[-1] for column in numbers):
        return []
    message, where = f"the last row, {called!r}, sums up the others", (f"line {table.line(len(table) - 1)}",)
    return [Finding(name="total", level="stop", message=message, where=where, remedy="remove it: it is no sample")]


def _taken(rows: Any, kept: np.ndarray) -> Any:
    """Return the rows at some places in order, (kept,); all of them without a copy."""
    return rows if len(kept) == len(rows) else rows[kept]


def _fingerprints(
    rows: np.ndarray | MixedRows,
    targets: Targets | None,
    test: np.ndarray | MixedRows | None,
    weights: np.ndarray | None,
) -> dict[str, Any]:
    values, test_values = (None, None) if targets is None else (targets.values, targets.test_values)
    digest = table_fingerprint(rows, values, *(() if test is None else test.T), test_values, weights)
    return {
        "fingerprint": digest,
        "first_fingerprint": partial(_first_fingerprint, rows, values, test, test_values, weights),
    }


def _first_fingerprint(*parts: np.ndarray | MixedRows | None) -> str:
    """Return what earlier versions knew a table by: its numbers rounded, or what is written of each row."""
    return fingerprint(*(single(part) if isinstance(part, np.ndarray) else part for part in parts))
