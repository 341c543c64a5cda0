"""Time series in tables: the dates put the rows in order, the numbers are the series."""

from datetime import datetime
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.roles import ROW_NUMBER_NAMES
from ganglion.data.formats.tables import Table, is_numeric, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

DATE_NAMES = ("date", "datetime", "time", "timestamp", "month", "day", "week", "quarter", "year", "period", "ds")
DATE_PARTS = ("year", "month", "day", "hour", "minute", "second")
DATE_FORMATS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y",
    "%b %Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%y", "%B %Y", "%m/%Y",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S")


def read_series(path: Path, settings: DataSettings) -> Dataset:
    """Read the numeric columns of a table in the order of its dates.

    A missing value is replaced by the last one before it, so that no value knows the future; rows before the first
    complete one are left out. Columns are those asked for, or all numeric ones that are no dates or row numbers.
    """
    table = read_table(path)
    notes = list(table.notes)
    table, dates = _without_dates(table, settings, notes)
    names = _chosen(table, settings, notes)
    values = np.stack([table[name] for name in names], axis=1)  # (time, columns)
    if dates is not None:
        values = _in_order(values, dates, notes)
    values = _filled(values, names, notes, path).astype(np.float32)
    return Dataset.of(
        name=path.stem,
        kind="series",
        inputs=values,
        column_names=tuple(names),
        source=str(path),
        fingerprint=fingerprint(values),
        notes=tuple(notes),
    )


def _without_dates(table: Table, settings: DataSettings, notes: list[str]) -> tuple[Table, np.ndarray | None]:
    """Return the table without its dates and row numbers, and the dates as seconds."""
    wanted = {*settings.columns, settings.target}
    parts = [name for name in table.names if name.lower() in DATE_PARTS and is_numeric(table[name])]
    if len(parts) > 1 and "year" in (name.lower() for name in parts) and not wanted & set(parts):
        notes.append(f"dates from the columns {', '.join(parts)}")
        dates: np.ndarray | None = _from_parts({name.lower(): table[name] for name in parts})
        return _without_row_numbers(table.without(parts), wanted), dates
    for name in sorted(table.names, key=lambda name: name.lower() not in DATE_NAMES):
        if name in wanted:
            continue
        column, called_date = table[name], name.lower() in DATE_NAMES
        dates = None if is_numeric(column) and not called_date else _dates(column)
        if dates is not None:
            notes.append(f"dates from the column {name!r}")
        elif called_date:
            notes.append(f"column {name!r} could not be read as dates: rows are taken in the order of the file")
        if dates is not None or called_date:
            return _without_row_numbers(table.without([name]), wanted), dates
    return _without_row_numbers(table, wanted), None


def _without_row_numbers(table: Table, wanted: set[str | None]) -> Table:
    running = [
        name
        for name in table.names
        if name.lower() in ROW_NUMBER_NAMES
        and name not in wanted
        and is_numeric(table[name])
        and len(table) > 1
        and np.all(np.diff(table[name]) == 1)
    ]
    return table.without(running) if len(running) < len(table.names) else table


def _from_parts(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Return seconds of dates that are spread over columns."""
    months = (parts["year"] - 1970) * 12 + parts.get("month", np.array(1)) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + parts.get("day", np.array(1)) - 1
    seconds = parts.get("hour", 0.0) * 3600 + parts.get("minute", 0.0) * 60 + parts.get("second", 0.0)
    return days * 86400.0 + seconds


def _dates(column: np.ndarray) -> np.ndarray | None:
    """Return seconds, or None where these are no dates."""
    if is_numeric(column):  # Years, or seconds since 1970.
        return column if np.isfinite(column).all() and len(np.unique(column)) == len(column) else None
    texts = [str(cell) for cell in column]
    try:
        if all(text[:4].isdigit() for text in texts):
            plain = [text.removesuffix("Z").replace("/", "-") for text in texts]
            return np.array(plain, dtype="datetime64[s]").astype(np.float64)
    except ValueError:
        pass
    readings = [reading for clock in CLOCKS for form in DATE_FORMATS if (reading := _read_dates(texts, form + clock))]
    if not readings:
        return None
    # 01/02/2024 can be read in two ways: one that is in order is likelier.
    ordered = (reading for reading in readings if reading in (sorted(reading), sorted(reading, reverse=True)))
    return np.array(next(ordered, readings[0]))


def _read_dates(texts: list[str], form: str) -> list[float] | None:
    try:
        epoch = datetime(1970, 1, 1)
        return [(datetime.strptime(text, form) - epoch).total_seconds() for text in texts]
    except ValueError:
        return None


def _chosen(table: Table, settings: DataSettings, notes: list[str]) -> list[str]:
    """Return the columns of the series; the one to forecast is among them."""
    if settings.columns:
        names = list(dict.fromkeys([*settings.columns, *([settings.target] if settings.target else [])]))
    else:
        names = [name for name in table.names if is_numeric(table[name])]
        words = [name for name in table.names if name not in names]
        if words:
            notes.append(f"left out as text: {', '.join(words)}")
        if settings.target:
            table[settings.target]
    text = [name for name in names if not is_numeric(table[name])]
    if text or not names:
        raise DataError(
            "a series must be numbers",
            where=table.source,
            found=f"text in {', '.join(text)}" if text else f"only text: {', '.join(table.names)}",
            remedy="choose numeric columns with --columns",
        )
    return names


def _in_order(values: np.ndarray, dates: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return the rows from old to new, and note gaps and repetitions."""
    order = np.argsort(dates, kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        newest_first = np.array_equal(order[::-1], np.arange(len(order)))
        notes.append(f"rows put in order of time ({'the newest came first' if newest_first else 'they were mixed'})")
    steps = np.diff(dates[order])
    if len(steps):
        if not steps.all():
            notes.append(f"{int((steps == 0).sum())} dates occur more than once")
        usual = np.median(steps[steps > 0]) if steps.any() else 0
        gaps = np.flatnonzero(steps > 1.5 * usual) if usual else np.empty(0, dtype=np.int64)
        if len(gaps):
            largest = max(gaps, key=lambda gap: steps[gap])
            notes.append(
                f"{len(gaps)} gaps in time, the largest after row {largest + 1} ({steps[largest] / usual:.0f} steps)"
            )
    return values[order]


def _filled(values: np.ndarray, names: list[str], notes: list[str], path: Path) -> np.ndarray:
    """Return the values without missing ones."""
    missing = np.isnan(values)
    empty = [name for name, column in zip(names, missing.T, strict=True) if column.all()]
    if empty:
        raise DataError(
            "a column of this series is empty",
            where=f"{path}, column {', '.join(empty)}",
            remedy="leave it out with columns",
        )
    if not missing.any():
        return values
    counts = {name: int(column.sum()) for name, column in zip(names, missing.T, strict=True) if column.any()}
    said = ", ".join(f"{name} ({count})" for name, count in counts.items())
    notes.append(f"missing values replaced by the last one before: {said}")
    last = np.maximum.accumulate(np.where(missing, 0, np.arange(len(values))[:, None]), axis=0)
    values = np.take_along_axis(values, last, axis=0)
    start = int(np.isnan(values).any(axis=1).argmin())
    if start:
        notes.append(f"{start} rows before the first complete one left out")
    return values[start:]
