"""In which order the rows of a series stand, and whether they are one series at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from shlex import quote
from typing import final

import numpy as np

from ganglion.data.clock import Clock
from ganglion.data.formats.series.dates import (
    DAY,
    MONTH_NUMBERS,
    NAMES,
    Dates,
    plain,
    read_clock,
    read_dates,
    read_numbers,
)
from ganglion.data.formats.tables import Table, is_numeric
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError

DATE_PARTS = {
    "year": "year yr yyyy jahr année annee an año ano anno jaar год 年",
    "month": "month mon monat mois mes mês mese maand месяц 月",
    "day": "day tag jour día dia giorno dag день 日",
    "hour": "hour hr stunde heure hora ora uur час 时",
    "minute": "minute minuto минута 分",
    "second": "second sekunde seconde segundo secondo секунда 秒",
}
"""What columns of parts of a date are called, in small letters."""
RANGES = {"year": (1000, 3000), "month": (1, 12), "day": (1, 31), "hour": (0, 24), "minute": (0, 60), "second": (0, 61)}
COUNTERS = re.compile(r"^(id|no\.?|nr\.?|index|row|step|unnamed: 0|column 1|#|n|number|rownames?)$")
HOURS = re.compile(r"^(hours?|hr|hrs|h|stunde|heure|hora|ora|时|時)$")
"""What columns of whole hours are called, in small letters."""
FEW = 0.01
"""Share of rows whose date may occur again, as the hour does that a clock is set back."""
SHOWN = 4


@final
@dataclass(frozen=True)
class Timed:
    """A table without its dates and row numbers, and when each row was."""

    table: Table
    dates: str | None
    """The columns that the dates were in; None where the rows have none."""
    seconds: np.ndarray | None
    """Seconds since 1970, or other numbers that grow with time `(rows,)`; None where the file's order counts."""
    on_calendar: bool = True
    """Whether `seconds` are of a calendar."""


def find_times(table: Table, settings: DataSettings, notes: list[str]) -> Timed:
    """Find the dates of a table by what its cells are; names only help with columns of numbers.

    Raises:
        DataError: some cells are no dates, they can be read in two ways, or rows without dates run backwards.
    """
    wanted = {*settings.columns, settings.target}
    names, parts = _date_parts(table)
    if len(parts) > 1 and "year" in parts and not wanted & set(names):
        notes.append(f"dates from the columns {', '.join(names)}")
        return Timed(_without_counters(table.without(names), wanted, notes), ", ".join(names), _from_parts(parts))
    unread: list[str] = []
    for name in sorted(table.names, key=lambda name: NAMES.search(name.lower()) is None):
        if name in wanted:
            continue
        called = NAMES.search(name.lower()) is not None
        column = _cells(table, name)
        found = read_numbers(column, called) if is_numeric(column) else read_dates(column.tolist(), settings.dates)
        if found is not None:
            _refuse_two_readings(found, name, table, settings)
            doubt = f" ({found.rivals[0].form} would do as well; --dates decides)" if found.rivals else ""
            notes.append(f"dates from the column {name!r}, as {found.form}{doubt}")
            clock, found = _with_clock(table, name, found, wanted, notes)
            kept, seconds = _with_dates(table, name, found, settings, notes)
            dates = [name, *([clock] if clock else [])]
            return Timed(_without_counters(kept.without(dates), wanted, notes), " and ".join(dates), seconds)
        if called and not is_numeric(column):
            unread.append(name)
    return _without_calendar(table, unread, wanted, settings, notes)


def _date_parts(table: Table) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return columns that each hold one part of the dates, by name and by what may stand in them, and their numbers."""
    names: list[str] = []
    parts: dict[str, np.ndarray] = {}
    for name in table.names:
        part = next((part for part, called in DATE_PARTS.items() if name.strip().lower() in called.split()), None)
        if part is None or part in parts:
            continue
        column = _cells(table, name)
        if not is_numeric(column):
            months = MONTH_NUMBERS if part == "month" else {}
            texts = [plain(str(cell)).rstrip(".") for cell in column]  # digits with zeros in front are texts, too
            column = np.array([float(text) if text.isdecimal() else months.get(text, np.nan) for text in texts])
        low, high = RANGES[part]
        if ((column >= low) & (column <= high) & (column == np.round(column))).all():
            names.append(name)
            parts[part] = column
    return names, parts


def _without_calendar(
    table: Table, unread: list[str], wanted: set[str | None], settings: DataSettings, notes: list[str]
) -> Timed:
    """Take rows in the order of numbers that say when, or of the file, unless a column shows that this is backwards."""
    for name in table.names:
        column = _cells(table, name)
        if name in wanted or not is_numeric(column) or not NAMES.search(name.lower()) or not np.isfinite(column).all():
            continue
        unique = len(np.unique(column)) == len(column)
        if unique or _keys(table.without([name]), column):
            notes.append(f"rows in the order of the numbers in the column {name!r}")
            return Timed(_without_counters(table.without([name]), wanted, notes), name, column, on_calendar=False)
    for name in unread:
        notes.append(f"column {name!r} could not be read as dates: rows are taken in the order of the file")
        _refuse_backwards(table, name, [_digits(cell) for cell in _cells(table, name).tolist()], settings)
    if not unread:
        notes.append("no column of dates: rows are taken in the order of the file")
    for name in _numbered(table, wanted):
        _refuse_backwards(table, name, [_digits(cell) for cell in _cells(table, name).tolist()], settings)
    kept = table.without(unread) if len(unread) < len(table.names) else table
    for name in kept.names:
        others = any(is_numeric(_cells(kept, other)) for other in kept.names if other != name)
        if others and name not in wanted and _counts(kept, name, down=True):
            _refuse_backwards(kept, name, _cells(kept, name).tolist(), settings)
    return Timed(_without_counters(kept, wanted, notes), None, None)


def _digits(cell: object) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", str(cell)))


def _with_clock(
    table: Table, dates: str, found: Dates, wanted: set[str | None], notes: list[str]
) -> tuple[str | None, Dates]:
    """Return the column of the time of day that stands beside dates which recur, and both together."""
    moments = found.seconds[np.isfinite(found.seconds)]
    if (moments % DAY).any() or len(np.unique(moments)) > (1 - FEW) * len(moments):
        return None, found
    for name in table.names:
        if name in wanted or name == dates:
            continue
        column = _cells(table, name)
        if not is_numeric(column):
            times = read_clock(column.tolist())
        elif HOURS.match(name.lower()) and np.isin(column, np.arange(25)).all():
            times = column * 3600
        else:
            continue
        if times is not None and len(np.unique(found.seconds + times)) > len(np.unique(moments)):
            notes.append(f"the time of day from the column {name!r}")
            return name, replace(found, seconds=found.seconds + times)
    return None, found


def _numbered(table: Table, wanted: set[str | None]) -> list[str]:
    """Return columns of text that differ in every row and have digits in each, as dates of an unknown form do."""
    texts = [name for name in table.names if name not in wanted and not is_numeric(_cells(table, name))]
    cells = {name: _cells(table, name).tolist() for name in texts}
    return [
        name
        for name, column in cells.items()
        if len(set(column)) == len(column) and all(cell and any(map(str.isdigit, cell)) for cell in column)
    ]


def _refuse_backwards(table: Table, name: str, values: Sequence, settings: DataSettings) -> None:
    """Raise where values only ever fall, so that the newest row seems to come first."""
    falls = all(left >= right for left, right in pairwise(values)) and values[0] > values[-1]
    if len(values) > 2 and falls and not settings.allow_problems:
        raise DataError(
            "the rows of this series seem to run backwards in time",
            where=f"{table.source}, column {name}",
            expected="the oldest row first, or dates that can be read",
            found=f"{_cells(table, name)[0]} at first, {_cells(table, name)[-1]} at last",
            remedy="sort the file by time, or take its order as it is with --allow-problems",
        )


def _refuse_two_readings(found: Dates, name: str, table: Table, settings: DataSettings) -> None:
    """Raise where two readings put the rows in different orders."""
    order = np.argsort(found.seconds, kind="stable")
    rivals = [one for one in found.rivals if not np.array_equal(np.argsort(one.seconds, kind="stable"), order)]
    if rivals and settings.dates is None:
        raise DataError(
            "these dates can be read in two ways",
            where=f"{table.source}, column {name}",
            expected="a column that only one order of day and month fits",
            found=f"{_cells(table, name)[0]!r} as {found.form} or {rivals[0].form}",
            remedy="say which with --dates day-first or --dates month-first",
        )


def _with_dates(
    table: Table, name: str, found: Dates, settings: DataSettings, notes: list[str]
) -> tuple[Table, np.ndarray]:
    """Return the rows that have a date; raise where some lack one, unless problems are allowed."""
    odd = np.flatnonzero(~np.isfinite(found.seconds))
    if not len(odd):
        return table, found.seconds
    cells = [_cells(table, name)[place] for place in odd[:SHOWN]]
    shown = [f"{'nothing' if cell is None or cell != cell else repr(cell)} in row {place + 1}"
             for cell, place in zip(cells, odd, strict=False)]  # fmt: skip
    said = ", ".join(shown) + (", ..." if len(odd) > SHOWN else "")
    if not settings.allow_problems:
        raise DataError(
            "a row of this series has no date that can be read" if len(odd) == 1 else f"{len(odd)} rows have no date",
            where=f"{table.source}, column {name}",
            expected=f"dates as {found.form} throughout",
            found=said,
            remedy="mend or remove these rows, or leave them out with --allow-problems",
        )
    notes.append(f"rows without a date left out: {said}")
    kept = np.flatnonzero(np.isfinite(found.seconds))
    return rows_of(table, kept), found.seconds[kept]


def _cells(table: Table, name: str) -> np.ndarray:
    """Return a column as it was read, also where it is doubtful as numbers: dates may be."""
    return table.columns[table.names.index(name)]


def rows_of(table: Table, places: np.ndarray) -> Table:
    """Return the rows of a table at some places `(rows,)`."""
    lines = None if table.lines is None else table.lines[places]
    return replace(table, columns=tuple(column[places] for column in table.columns), lines=lines)


def _from_parts(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Return seconds of dates that are spread over columns."""
    months = (parts["year"] - 1970) * 12 + parts.get("month", np.array(1)) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + parts.get("day", np.array(1)) - 1
    seconds = parts.get("hour", 0.0) * 3600 + parts.get("minute", 0.0) * 60 + parts.get("second", 0.0)
    return days * 86400.0 + seconds


def _without_counters(table: Table, wanted: set[str | None], notes: list[str]) -> Table:
    """Return the table without columns that only count its rows, whatever they are called."""
    running = [name for name in table.names if name not in wanted and _counts(table, name)]
    numeric = [name for name in table.names if is_numeric(_cells(table, name))]
    if not running or len(running) == len(numeric):
        return table
    notes.append(f"left out as counting the rows: {', '.join(running)}")
    return table.without(running)


def _counts(table: Table, name: str, down: bool = False) -> bool:
    """Whether a column counts the rows, in steps of one; or whether it counts them down, in any steps if called so."""
    column = _cells(table, name)
    if not is_numeric(column) or len(column) <= 2:
        return False
    steps, named = np.diff(column), COUNTERS.match(name.lower()) is not None
    if down and named:
        return bool((steps <= 0).all())
    in_ones = bool((np.abs(steps) == 1).all() and (steps == steps[0]).all()) and (named or len(column) >= 20)
    return in_ones and (not down or steps[0] < 0)


def choose_series(table: Table, settings: DataSettings) -> Table:
    """Return the rows of the one series that `settings.series` names."""
    if settings.series is None:
        return table
    kept = np.ones(len(table), dtype=bool)
    for condition in settings.series.split(","):
        name, separator, value = condition.partition("=")
        if not separator:
            raise UsageError(
                "a series is named by a column and its value", where="--series", found=settings.series,
                expected="COLUMN=VALUE", remedy="such as --series store=1",
            )  # fmt: skip
        column = table[name.strip()]
        kept &= np.array([_same(cell, value.strip()) for cell in column.tolist()])
    if not kept.any():
        raise UsageError(
            "there is no such series in this table",
            where=table.source,
            expected=", ".join(_shown(np.unique(table[name.strip()].astype(str)))),
            found=settings.series,
            remedy="name one of them",
        )
    rows = rows_of(table, np.flatnonzero(kept))
    return rows.without([part.partition("=")[0].strip() for part in settings.series.split(",")])


def _same(cell: object, value: str) -> bool:
    return str(cell) == value or (isinstance(cell, float) and cell.is_integer() and str(int(cell)) == value)


def _shown(values: Sequence | np.ndarray) -> list[str]:
    texts = [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in values]
    return [*texts[:SHOWN], *(["..."] if len(texts) > SHOWN else [])]


def _keys(table: Table, seconds: np.ndarray) -> tuple[str, ...]:
    """Return the columns that tell several series in one table apart: within each no date occurs twice."""
    known = [
        name
        for name in table.names
        if 1 < len(set(_cells(table, name).tolist())) <= len(table) // 2
        and (not is_numeric(_cells(table, name)) or (_cells(table, name) == np.round(_cells(table, name))).all())
    ]
    for names in [(name,) for name in known] + list(combinations(known, 2)):
        rows = set(zip(seconds.tolist(), *(_cells(table, name).tolist() for name in names), strict=True))
        if len(rows) >= (1 - FEW) * len(table):
            return names
    return ()


def refuse_several(timed: Timed, seconds: np.ndarray, settings: DataSettings, notes: list[str]) -> None:
    """Raise where dates `(rows,)` occur again, because the table holds several series or is in disorder."""
    again = len(seconds) - len(np.unique(seconds))
    if not again:
        return
    keys = _keys(timed.table, seconds) if again > FEW * len(seconds) else ()
    if keys:
        values = [_shown(list(dict.fromkeys(_cells(timed.table, name).tolist()))) for name in keys]
        example = ",".join(f"{name}={options[0]}" for name, options in zip(keys, values, strict=True))
        count = len(set(zip(*(_cells(timed.table, name).tolist() for name in keys), strict=True)))
        raise DataError(
            "this table holds several series, one below the other",
            where=f"{timed.table.source}, column {' and '.join(keys)}",
            expected="one row for each time",
            found=f"{count} series: " + "; ".join(", ".join(options) for options in values),
            remedy=f"learn all with --key {quote(','.join(keys))}, or choose one with --series {quote(example)}",
        )
    times, counts = np.unique(seconds, return_counts=True)
    first = Clock.of(times).spelt(float(times[counts > 1][0])) if timed.on_calendar else f"{times[counts > 1][0]:g}"
    said = f"{again} dates occur more than once, {first} at first"
    steps = np.diff(times)
    is_clock = timed.on_calendar and len(steps) and steps.min() < DAY  # whose hours occur again once a year
    if again > (max(1, FEW * len(seconds)) if is_clock else 0) and not settings.allow_problems:
        raise DataError(
            "the rows of this series are not one for each date",
            where=f"{timed.table.source}, {timed.dates}",
            expected="each date once",
            found=said,
            remedy="choose one series with --series COLUMN=VALUE, or keep all rows with --allow-problems",
        )
    notes.append(said)
