"""Several series in one table, told apart by key columns, with columns that are known in advance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import numpy as np

from ganglion.data.clock import Clock
from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.series.order import SHOWN, Timed, choose_series, find_times
from ganglion.data.formats.series.rows import chosen_columns, filled, known_rows
from ganglion.data.formats.tables import Table, is_numeric, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.findings import Finding
from ganglion.settings import unknown_name

FEW = 0.01
"""Share of the rows of a series whose date may occur again, as the hour does that a clock is set back."""
MOST_WORDS = 20
"""Different texts that a column known in advance may hold; each becomes a column of 0 and 1."""


class One(NamedTuple):
    """One series of a panel."""

    name: str
    values: np.ndarray
    """`(time, columns)`, NaN where one is missing."""
    known: np.ndarray
    """`(time + ahead, columns)`, of the rows that are to come as well."""
    seconds: np.ndarray | None
    """Seconds since 1970 of the same rows; None without dates."""


@dataclass(frozen=True)
class Panel:
    """What a table of several series holds."""

    series: tuple[One, ...]
    columns: tuple[str, ...]
    known: tuple[str, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def is_panel(settings: DataSettings) -> bool:
    """Whether a table is to be read as several series, or as one beside which something is known in advance."""
    return bool(settings.key or settings.known) or settings.calendar == "yes"


def read_panel(path: Path, settings: DataSettings) -> Dataset:
    """Read the series of a table, each in the order of its dates, and what is known of them in advance.

    Rows are divided by the columns of `settings.key`. Columns of `settings.known` are no values to forecast; of the
    rows at the end of a series whose target is still missing they are what is known of the steps to come.
    """
    panel = panel_of(path, settings)
    fields = {
        "inputs": Field(kind="panel", values=[one.values for one in panel.series], names=panel.columns),
        "series": Field(kind="texts", values=[one.name for one in panel.series]),
    }
    if panel.known:
        fields["known"] = Field(kind="panel", values=[one.known for one in panel.series], names=panel.known)
    times = [one.seconds for one in panel.series]
    if settings.calendar != "no" and all(one is not None for one in times):
        fields["times"] = Field(kind="panel", values=[one[:, None] for one in times if one is not None])
    elif settings.calendar == "yes":
        raise UsageError(
            "there are no dates to take hours, days of the week and months from",
            where=str(path),
            expected="a column of dates",
            remedy="leave --calendar out",
        )
    contents = [np.concatenate([filled(one.values).ravel(), filled(one.known).ravel()]) for one in panel.series]
    return Dataset(
        name=path.stem,
        fields=fields,
        source=str(path),
        fingerprint=fingerprint(*contents, [one.name for one in panel.series], list(panel.known)),
        ahead=max(len(one.known) - len(one.values) for one in panel.series),
        notes=panel.notes,
        findings=panel.findings,
    )


def panel_of(path: Path, settings: DataSettings, known: Sequence[str] | None = None, future: bool = False) -> Panel:
    """Return what a table of several series holds.

    Args:
        known: what the columns known in advance became in training; found out when not given.
        future: whether the rows are only to come, so that nothing but the key and what is known in advance is read.
    """
    table = read_table(path, settings)
    notes = list(table.notes)
    table = choose_series(table, settings)
    _refuse_unfit(table, settings)
    kept = (*settings.columns, *settings.known, *settings.key)
    timed = find_times(table, replace(settings, columns=kept), notes)
    advance = _known_columns(timed.table, settings, known, notes)
    rest = timed.table.without([*settings.key, *settings.known])
    columns = [] if future else chosen_columns(rest, settings, notes)
    values, told = _side_by_side([rest[name] for name in columns], table), _side_by_side(advance.values(), table)
    found: list[One] = []
    empty: list[str] = []
    for name, places in _groups(timed.table, settings, path).items():
        ordered = _in_order(timed, places, name, settings, notes)
        seconds = timed.seconds[ordered] if timed.seconds is not None and timed.on_calendar else None
        span = (0, 0) if future else known_rows(values[ordered], columns, settings.target)
        if span is None:
            empty.append(name)
            continue
        start, ahead = span
        own = values[ordered]
        own[start] = filled(own)[start]  # what was known by then
        later = None if seconds is None else seconds[start:]
        found.append(One(name, own[start : len(own) - ahead], told[ordered][start:], later))
    if not found:
        raise DataError(
            "no series of this table has values of every column",
            where=str(path),
            found=", ".join(columns),
            remedy="choose fewer --columns",
        )
    if not future:
        found = [_with_advance(one, list(advance), path) for one in found]
        notes += _said(found, columns, settings)
    return Panel(tuple(found), tuple(columns), tuple(advance), tuple(notes), _left_out(empty, columns))


def _side_by_side(columns: Iterable[np.ndarray], table: Table) -> np.ndarray:
    """Return columns as numbers `(rows, columns)`, also where there is none."""
    return np.stack([np.zeros(len(table)), *columns], axis=1)[:, 1:]


def _refuse_unfit(table: Table, settings: DataSettings) -> None:
    """Raise where columns are named that do not exist, or in two ways that exclude each other."""
    for name in (*settings.key, *settings.known):
        if name not in table.names:
            raise unknown_name("column", name, list(table.names), where=table.source)
    both = {*settings.key, *settings.columns, *filter(None, [settings.target])} & set(settings.known)
    both |= {*settings.columns, *filter(None, [settings.target])} & set(settings.key)
    if both:
        raise UsageError(
            "a column is one of: to be forecast, known in advance, telling series apart",
            where="--known" if both & set(settings.known) else "--key",
            expected="other columns than those of --target, --columns and each other",
            found=", ".join(sorted(both)),
            remedy="name each column once",
        )


def _groups(table: Table, settings: DataSettings, path: Path) -> dict[str, np.ndarray]:
    """Return the rows of each series `(rows,)` by its name, in the order in which the series occur."""
    if not settings.key:
        return {path.stem: np.arange(len(table))}
    cells = [_names(table, name, path) for name in settings.key]
    names = [", ".join(parts) for parts in zip(*cells, strict=True)]
    order: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        order.setdefault(name, []).append(place)
    return {name: np.array(places) for name, places in order.items()}


def _names(table: Table, column: str, path: Path) -> list[str]:
    """Return the cells of a key column as texts, whole numbers without a fraction; raise where one is missing."""
    cells = table.columns[table.names.index(column)].tolist()
    for place, cell in enumerate(cells):
        if cell is None or cell != cell:
            raise DataError(
                "a row of this table belongs to no series",
                where=f"{path}, column {column}, row {place + 1}",
                expected="a name in every row",
                found="an empty cell",
                remedy="fill or remove such rows, or name another column with --key",
            )
    return [str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell) for cell in cells]


def _in_order(timed: Timed, places: np.ndarray, name: str, settings: DataSettings, notes: list[str]) -> np.ndarray:
    """Return the rows of a series in the order of time; raise where its dates occur again."""
    if timed.seconds is None:
        return places
    seconds = timed.seconds[places]
    times, counts = np.unique(seconds, return_counts=True)
    again = len(seconds) - len(times)
    if again:
        first = Clock.of(times).spelt(float(times[counts > 1][0])) if timed.on_calendar else f"{times[counts > 1][0]:g}"
        said = f"{again} dates of the series {name!r} occur more than once, {first} at first"
        if again > max(1, FEW * len(seconds)) and not settings.allow_problems:
            others = [one for one in timed.table.names if one not in (*settings.key, *settings.known)]
            offer = f"name all columns that tell series apart: --key {quote(','.join([*settings.key, 'COLUMN']))}"
            raise DataError(
                "the rows of a series are not one for each date",
                where=f"{timed.table.source}, {timed.dates}",
                expected="each date once in each series",
                found=said,
                remedy=f"{offer}, of {', '.join(others[:SHOWN])}; or keep all rows with --allow-problems",
            )
        notes.append(said)
    ordered: np.ndarray = places[np.argsort(seconds, kind="stable")]
    return ordered


def _known_columns(
    table: Table, settings: DataSettings, known: Sequence[str] | None, notes: list[str]
) -> dict[str, np.ndarray]:
    """Return the columns known in advance as numbers by their names; a column of texts becomes one of 0 and 1 each."""
    found: dict[str, np.ndarray] = {}
    for name in settings.known:
        column = table.inputs(name)
        if is_numeric(column) and (known is None or name in known):
            found[name] = column.astype(np.float64)
            continue
        cells = np.array([None if cell is None or cell != cell else str(cell) for cell in column], dtype=object)
        texts = sorted({cell for cell in cells if cell is not None})
        if len(texts) > MOST_WORDS or (known is not None and name in known):
            raise DataError(
                "a column that is known in advance must hold numbers, or a few different texts",
                where=f"{table.source}, column {name}",
                expected="numbers" if known else f"at most {MOST_WORDS} different texts",
                found=f"{len(texts)}: {', '.join(texts[:SHOWN])}" + ("" if len(texts) <= SHOWN else ", ..."),
                remedy="leave it out of --known, or read it as numbers with --numbers",
            )
        if known is None:
            two = len(texts) == 2 and None not in cells
            notes.append(f"known column {name!r}: a column of 0 and 1 for each of its texts: {', '.join(texts)}")
            texts = texts[1:] if two else texts
        else:
            texts = [one.removeprefix(f"{name}=") for one in known if one.startswith(f"{name}=")]
        found |= {f"{name}={one}": (cells == one).astype(np.float64) for one in texts}
    return found


def _with_advance(one: One, names: Sequence[str], path: Path) -> One:
    """Return a series whose known columns have no gap; raise where one that is to be known in advance is not."""
    ahead = len(one.known) - len(one.values)
    unknown = [name for name, column in zip(names, one.known[len(one.values) :].T, strict=True)
               if ahead and np.isnan(column).all()]  # fmt: skip
    if unknown:
        raise DataError(
            "a column that is said to be known in advance has no values in the rows to come",
            where=f"{path}, series {one.name}, column {', '.join(unknown)}",
            expected=f"its values in the {ahead} rows at the end whose target is still empty",
            remedy="fill them in, or leave the column out of --known: a network must not see what is known afterwards",
        )
    return one._replace(known=filled(one.known))


def _said(found: Sequence[One], columns: Sequence[str], settings: DataSettings) -> list[str]:
    """Return what the user should know of the series: how many and how long, when, and what is to come."""
    lengths = [len(one.values) for one in found]
    several = f"{len(found)} series of {min(lengths)} to {max(lengths)} steps"
    notes = [several if len(set(lengths)) > 1 else f"{len(found)} series of {lengths[0]} steps"]
    if all(one.seconds is not None for one in found):
        clocks = [Clock.of(one.seconds[: len(one.values)]) for one in found if one.seconds is not None]
        first, last = min(clocks, key=lambda it: it.first), max(clocks, key=lambda it: it.last)
        whole = replace(first, last=last.last)
        notes.append(f"series {whole.said()}")
        odd = [one.name for one, clock in zip(found, clocks, strict=True)
               if (clock.seconds, clock.months) != (first.seconds, first.months)]  # fmt: skip
        if odd:
            notes.append(f"{len(odd)} series have another step than the first: {', '.join(odd[:SHOWN])}")
    gaps = {name: sum(int(np.isnan(one.values[:, place]).sum()) for one in found) for place, name in enumerate(columns)}
    if any(gaps.values()):
        said = ", ".join(f"{name} ({count})" for name, count in gaps.items() if count)
        notes.append(f"missing values, replaced by the last one before and never judged by: {said}")
    ahead = [len(one.known) - len(one.values) for one in found]
    if any(ahead):
        target = settings.target or columns[0]
        notes.append(f"{sum(ahead)} rows at the end of series have no {target} yet: they are what is to be forecast")
    return notes


def _left_out(empty: Sequence[str], columns: Sequence[str]) -> tuple[Finding, ...]:
    if not empty:
        return ()
    message = f"series left out because {' or '.join(columns)} has no value in them: {len(empty)}"
    remedy = "remove their rows, choose fewer --columns, or go on without them with --allow-problems"
    where = tuple(empty[:SHOWN])
    return (Finding(name="empty-series", level="stop", message=message, value=len(empty), where=where, remedy=remedy),)
