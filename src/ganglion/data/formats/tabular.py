"""Tables as data sets: one column is predicted, the others are what it is predicted from."""

import dataclasses
from pathlib import Path
from shlex import quote

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint, single
from ganglion.data.formats.roles import find_inputs, find_target
from ganglion.data.formats.tables import Table, is_numeric, missing_in, read_table
from ganglion.data.formats.tables.columns import ColumnType
from ganglion.data.formats.targets import Targets, read_targets
from ganglion.data.formats.weights import weights_in
from ganglion.data.leaks import leak_findings
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


def read_tabular(path: Path, settings: DataSettings, test_path: Path | None = None) -> Dataset:
    """Read a table, and its published test part where there is one.

    Which column is predicted, and whether it holds classes or a quantity, is found out where it is not asked for. A
    test part without it is that of a competition: it is left alone. Text columns stay text, for
    `TabularPreprocessing` to encode, and make the inputs an array of objects.
    """
    table = read_table(path, settings)
    notes = list(table.notes)
    test = None if test_path is None else read_table(test_path, settings, types_of(table))
    settings, test = _without_answers(table, test, settings, notes)
    target, reason = find_target(table, settings)
    notes.append(f"target column {target!r} ({reason})" if target else reason)
    inputs = find_inputs(table, target, settings, notes)
    findings: list[Finding] = []
    kept = _with_target(table, target, settings, findings)
    findings += _total(table)
    rows = table.only(inputs).rows()[kept]
    weights = None if settings.weights is None else weights_in(table[settings.weights], settings.weights, path)[kept]
    test_rows = test_kept = None
    if test is not None:
        test_kept = _with_target(test, target, settings, findings)
        test_rows = test.only(inputs).rows()[test_kept]
    targets = None
    if target:
        targets = read_targets(
            table[target][kept],
            None if test is None or test_kept is None else test[target][test_kept],
            where=f"{path}, column {target!r}",
            called=f"{target!r}",
            task=settings.task,
        )
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
        target_names=(target,) if target else (),
        weights=weights,
        source=str(path),
        fingerprint=_fingerprint(rows, targets, test_rows, weights),
        notes=tuple(notes),
        findings=tuple(findings),
    )


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
    # Words that usually mean nothing are labels like others here, unless the user says what means nothing.
    missing = missing_in(table[target] if settings.missing is None else table.inputs(target))
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
    numbers = [column for column in columns if is_numeric(column) and np.isfinite(column).all() and len(column) > 2]
    if called is None or not any(np.isclose(column[:-1].sum(), column[-1]) and column[-1] for column in numbers):
        return []
    message, where = f"the last row, {called!r}, sums up the others", (f"line {table.line(len(table) - 1)}",)
    return [Finding(name="total", level="stop", message=message, where=where, remedy="remove it: it is no sample")]


def _fingerprint(
    rows: np.ndarray, targets: Targets | None, test_rows: np.ndarray | None, weights: np.ndarray | None
) -> str:
    values, test_values = (None, None) if targets is None else (targets.values, targets.test_values)
    parts = (rows, values, test_rows, test_values, weights)
    return fingerprint(*(None if part is None else single(part) for part in parts))
