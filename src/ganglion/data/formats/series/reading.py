"""Time series in tables: the dates put the rows in order, the numbers are the series."""

from pathlib import Path

import numpy as np

from ganglion.data.clock import Clock
from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.series.dates import read_dates, read_numbers
from ganglion.data.formats.series.order import choose_series, find_times, refuse_several
from ganglion.data.formats.series.panel import is_panel, read_panel
from ganglion.data.formats.series.rows import chosen_columns, filled, known_rows
from ganglion.data.formats.tables import read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

FEWEST_TIMES = 3
"""Columns called as times follow each other that are taken for times."""
COARSE = 1e-3
"""Share of a column's spread that single precision may cost before a series is told apart in double precision."""


def read_series(path: Path, settings: DataSettings) -> Dataset:
    """Read the numeric columns of a table in the order of its dates, in double precision.

    A missing value stays missing, so that nobody takes it for a measurement; rows before the first complete one are
    left out, and rows at the end whose target is still missing are what is to be forecast. Columns are those asked
    for, or all numeric ones that are no dates and do not count the rows. Where several series, or columns known in
    advance, are asked for, they are a panel.
    """
    if is_panel(settings):
        return read_panel(path, settings)
    table = read_table(path, settings)
    notes = list(table.notes)
    timed = find_times(choose_series(table, settings), settings, notes)
    names = chosen_columns(timed.table, settings, notes)
    if timed.seconds is None and not settings.columns:
        _refuse_wide(names, path)
    values = np.stack([timed.table[name] for name in names], axis=1)  # (time, columns)
    seconds = timed.seconds
    if seconds is not None:
        refuse_several(timed, seconds, settings, notes)
        order = np.argsort(seconds, kind="stable")
        _note_order(order, notes)
        values, seconds = values[order], seconds[order]
    values, start, ahead = _known_rows(values, names, settings.target, notes, path)
    clock = None
    if seconds is not None and timed.on_calendar:
        known = seconds[start : len(seconds) - ahead]
        clock = Clock.of(known)
        notes.append(f"series {clock.said()}")
        _note_gaps(clock, known, notes)
    if ahead:
        end = f" after {clock.spelt(clock.last)}" if clock else ""
        notes.append(f"{ahead} rows{end} have no {settings.target or names[0]} yet: they are what is to be forecast")
    return Dataset.of(
        name=path.stem,
        kind="series",
        inputs=values,
        column_names=tuple(names),
        source=str(path),
        fingerprint=_fingerprint(values),
        notes=tuple(notes),
        clock=clock,
        ahead=ahead,
    )


def _refuse_wide(names: list[str], path: Path) -> None:
    """Raise where the names of the columns are times, so that each row holds a series."""
    years = np.array([float(name) if name.isdigit() else np.nan for name in names])
    found = read_numbers(years, True) if np.isfinite(years).all() else read_dates(names)
    if len(names) >= FEWEST_TIMES and found is not None and (np.diff(found.seconds) > 0).all():
        raise DataError(
            "the columns of this table are times, and its rows are series",
            where=str(path),
            expected="a row for each time, and a column for each series",
            found=f"columns from {names[0]!r} to {names[-1]!r}",
            remedy="turn the table round, or choose columns with --columns if each of them is a series all the same",
        )


def _note_order(order: np.ndarray, notes: list[str]) -> None:
    if not np.array_equal(order, np.arange(len(order))):
        newest_first = np.array_equal(order[::-1], np.arange(len(order)))
        notes.append(f"rows put in order of time ({'the newest came first' if newest_first else 'they were mixed'})")


def _note_gaps(clock: Clock, seconds: np.ndarray, notes: list[str]) -> None:
    if len(seconds) < 2:
        return
    gaps, steps = clock.gaps(seconds), clock.steps(seconds)
    if len(gaps):
        largest = max(gaps, key=lambda gap: steps[gap])
        after = f"row {largest + 1}, {clock.spelt(float(seconds[largest]))}"
        notes.append(f"{len(gaps)} gaps in time, the largest after {after} ({steps[largest]:.0f} steps)")


def _known_rows(
    values: np.ndarray, names: list[str], target: str | None, notes: list[str], path: Path
) -> tuple[np.ndarray, int, int]:
    """Return the rows from the first complete one to the last whose target is known, and how many are left out."""
    missing = np.isnan(values)
    empty = [name for name, column in zip(names, missing.T, strict=True) if column.all()]
    if empty:
        raise DataError(
            "a column of this series is empty",
            where=f"{path}, column {', '.join(empty)}",
            remedy="leave it out with columns",
        )
    span = known_rows(values, names, target)
    if span is None:
        raise DataError(
            "no row of this series comes after a value of every column",
            where=str(path),
            remedy="choose fewer --columns",
        )
    start, ahead = span
    values, missing = values[: len(values) - ahead], missing[: len(missing) - ahead]
    if start:
        values[start] = filled(values)[start]  # what was known by then
        notes.append(f"{start} rows before the first complete one left out")
    counts = {name: int(column.sum()) for name, column in zip(names, missing[start:].T, strict=True) if column.any()}
    if counts:
        said = ", ".join(f"{name} ({count})" for name, count in counts.items())
        notes.append(f"missing values, replaced by the last one before and never judged by: {said}")
    return values[start:], start, ahead


def _fingerprint(values: np.ndarray) -> str:
    """Return the digest of a series with its gaps filled, in single precision where that tells the values apart."""
    whole = filled(values)
    single = whole.astype(np.float32)
    lost = np.abs(single - whole).max(axis=0, initial=0)
    return fingerprint(single if (lost <= COARSE * whole.std(axis=0)).all() else whole)
